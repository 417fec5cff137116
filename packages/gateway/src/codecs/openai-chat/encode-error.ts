import type { ErrorCode, GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";

interface Words {
  readonly type?: string;
  readonly code?: string;
}

/** Where OpenAI has a word of its own, or several of our codes are one thing to a client. Else the code is ours. */
const words: Partial<Record<ErrorCode, Words>> = {
  capability_unavailable: { code: "unsupported_value" },
  capability_rejected: { code: "unsupported_value" },
  unauthorized: { type: "authentication_error", code: "invalid_api_key" },
  unknown_model: { code: "model_not_found" },
  model_not_found: { type: "invalid_request_error" },
  payload_too_large: { code: "request_too_large" },
  content_policy: { code: "content_filter" },
  rate_limited: { type: "rate_limit_error", code: "rate_limit_exceeded" },
  quota_exhausted: { type: "insufficient_quota", code: "insufficient_quota" },
  upstream_auth: { code: "upstream_auth_error" },
  stream_interrupted: { code: "upstream_stream_interrupted" },
  unreachable: { code: "no_target_available" },
  connect_timeout: { code: "upstream_timeout" },
  first_content_timeout: { code: "upstream_timeout" },
  idle_timeout: { code: "upstream_timeout" },
  total_timeout: { code: "upstream_timeout" },
};

/**
 * Renders an error as OpenAI's body, the same in a response and in a stream. All four members are always there.
 * @see docs/spec/wire-formats.md 7.2
 */
export function encodeOpenAiError(error: GatewayError): JsonObject {
  const own = words[error.code];
  return {
    error: {
      message: error.message,
      type: own?.type ?? defaultType(error),
      param: error.detail.param ?? (error.code === "context_length_exceeded" ? "messages" : null),
      code: own?.code ?? error.code,
    },
  };
}

function defaultType(error: GatewayError): string {
  if (error.status === 429) return "rate_limit_error";
  if (error.status === 403) return "permission_error";
  return error.row.fault === "client" || error.row.fault === "policy" ? "invalid_request_error" : "server_error";
}
