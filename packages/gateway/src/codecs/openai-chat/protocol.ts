import type { Protocol } from "../codec.ts";
import { decodeResponse } from "./decode-response.ts";
import { continuesAnswer, encodeRequest } from "./encode-request.ts";
import { openAiStreamDecoder } from "./stream-decoder.ts";

/** Upstream side of OpenAI's Chat Completions and of every server that imitates it. */
export const openAiChatProtocol: Protocol = {
  name: "openai-chat",
  alwaysStream: false,
  encode: encodeRequest,
  continues: continuesAnswer,
  decodeResponse,
  streamDecoder: openAiStreamDecoder,
};
