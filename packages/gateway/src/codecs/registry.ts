import type { DialectName, ProtocolName } from "@fairlead/contract/names";
import { anthropicMessagesProtocol } from "./anthropic-messages/protocol.ts";
import type { Dialect, Protocol } from "./codec.ts";
import type { NativeFormat } from "./native-format.ts";
import { openAiChatDialect } from "./openai-chat/dialect.ts";
import { openAiChatNative } from "./openai-chat/native.ts";
import { openAiChatProtocol } from "./openai-chat/protocol.ts";

/** Every API shape a client may speak. */
export const dialects = {
  "openai-chat": openAiChatDialect,
} as const satisfies Record<DialectName, Dialect>;

/** Every API shape an upstream may speak. */
export const protocols = {
  "openai-chat": openAiChatProtocol,
  "anthropic-messages": anthropicMessagesProtocol,
} as const satisfies Record<ProtocolName, Protocol>;

/** Formats that are relayed as they are when client and upstream both speak them. */
export const nativeFormats: Readonly<Partial<Record<ProtocolName, NativeFormat>>> = {
  "openai-chat": openAiChatNative,
};
