import { RefusedRequest } from "../refused-request.ts";
import { hashHex } from "../seeded-random.ts";

const TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  504: "timeout_error",
  529: "overloaded_error",
};
const WORDS: Readonly<Record<number, string>> = {
  401: "invalid x-api-key",
  402: "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.",
  403: "Your API key does not have permission to use the specified resource.",
  413: "Request exceeds the maximum size",
  429: "This request would exceed your organization's rate limit of 50 requests per minute.",
  500: "Internal server error",
  503: "Service temporarily unavailable",
  504: "Request timed out.",
  529: "Overloaded",
};
let requests = 0;

/** Returns the next request id, as sent in `request-id` and in error bodies. */
export function nextRequestId(): string {
  return `req_011${hashHex(`request:${requests++}`, 21)}`;
}

/** Builds an error of the Messages API. */
export function messagesError(status: number, message: string, code?: string): RefusedRequest {
  const requestId = nextRequestId();
  const details = code === undefined ? {} : { details: { error_code: code } };
  const error = { type: TYPES[status] ?? "api_error", message, ...details };
  const headers: Record<string, string> = { "request-id": requestId };
  if (status >= 500 || status === 429) headers["x-should-retry"] = "true";
  return new RefusedRequest(status, { type: "error", error, request_id: requestId }, headers);
}

/** The error for a bare status, with its usual words. */
export function messagesFailure(status: number, code?: string): RefusedRequest {
  return messagesError(status, WORDS[status] ?? `The API answered with status ${status}.`, code);
}

/** Shorthand for an `invalid_request_error`. */
export function invalid(message: string): RefusedRequest {
  return messagesError(400, message);
}
