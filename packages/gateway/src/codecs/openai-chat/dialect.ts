import { sseKeepAlive } from "../../framing/sse-writer.ts";
import type { Dialect } from "../codec.ts";
import { capabilityParam } from "./capability-param.ts";
import { decodeRequest } from "./decode-request.ts";
import { encodeOpenAiError } from "./encode-error.ts";
import { encodeResponse } from "./encode-response.ts";
import { openAiStreamEncoder } from "./stream-encoder.ts";

/** Client side of OpenAI's Chat Completions. */
export const openAiChatDialect: Dialect = {
  name: "openai-chat",
  decodeRequest,
  encodeResponse,
  streamEncoder: openAiStreamEncoder,
  paramOf: capabilityParam,
  encodeError: encodeOpenAiError,
  keepAlive: sseKeepAlive,
};
