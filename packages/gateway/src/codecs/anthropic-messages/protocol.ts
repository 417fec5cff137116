import type { Protocol } from "../codec.ts";
import { decodeResponse } from "./decode-response.ts";
import { continuesAnswer, encodeRequest } from "./encode-request.ts";
import { anthropicStreamDecoder } from "./stream-decoder.ts";

/** Upstream side of Anthropic's Messages API. Always streamed: long answers outlive any limit on silent requests. */
export const anthropicMessagesProtocol: Protocol = {
  name: "anthropic-messages",
  alwaysStream: true,
  encode: encodeRequest,
  continues: continuesAnswer,
  decodeResponse,
  streamDecoder: anthropicStreamDecoder,
};
