import type { ErrorCode, GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";

/** Statuses that Anthropic's clients expect where ours differ. */
const statuses: Partial<Record<ErrorCode, number>> = {
  unreachable: 529,
  overloaded: 529,
  model_loading: 529,
  upstream_error: 500,
  malformed_tool_call: 500,
};

/** Returns the HTTP status that belongs to the error body of this format. */
export function anthropicErrorStatus(error: GatewayError): number {
  return error.detail.status ?? statuses[error.code] ?? error.row.status;
}

/**
 * Renders an error as Anthropic's body. An overflow begins with the words that make Claude Code compact.
 * @see docs/spec/wire-formats.md 7.2 and 7.3
 */
export function encodeAnthropicError(error: GatewayError, exchangeId: string): JsonObject {
  return {
    type: "error",
    error: { type: typeOf(anthropicErrorStatus(error)), message: messageOf(error) },
    request_id: exchangeId,
  };
}

const types: Readonly<Record<number, string>> = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
};

function typeOf(status: number): string {
  return types[status] ?? (status < 500 ? "invalid_request_error" : status === 503 ? "overloaded_error" : "api_error");
}

function messageOf(error: GatewayError): string {
  const { message, code, detail } = error;
  if (code !== "context_length_exceeded" || message.startsWith("prompt is too long")) return message;
  return detail.tokens !== undefined && detail.limit !== undefined && detail.tokens > detail.limit
    ? `prompt is too long: ${detail.tokens} tokens > ${detail.limit} maximum`
    : `prompt is too long: ${message}`;
}
