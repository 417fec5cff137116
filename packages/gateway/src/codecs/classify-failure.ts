import { type ErrorCode, type ErrorDetail, GatewayError } from "../core/errors.ts";
import { detectContextOverflow } from "./context-overflow.ts";
import { hideLiterals } from "./hide-literals.ts";
import { detectRejectedCapability } from "./rejected-capability.ts";
import { parseRetryAfter } from "./retry-after.ts";
import { readFault, readFaultBody, type UpstreamFault } from "./upstream-fault.ts";
import { safeUpstreamText } from "./upstream-text.ts";

export interface UpstreamFailure {
  readonly status: number;
  readonly headers: Headers;
  /** The error body as text; "" when there was none. */
  readonly body: string;
  /** As in `CodecTarget`. */
  readonly provider: string;
  /** `<upstream>/<model>`. */
  readonly target?: string | undefined;
  /** Texts that may not be shown: the upstream's secrets, its host with and without the port. */
  readonly hide?: readonly string[];
}

/**
 * Tells what an upstream's error response means: the code decides what the attempt loop may do, the detail holds what
 * the error told. The message carries the upstream's own words only where a client can act on them, bounded and redacted.
 * @see docs/spec/wire-formats.md 7
 */
export function classifyFailure(failure: UpstreamFailure): GatewayError {
  const { hide = [] } = failure;
  const said = readFaultBody(failure.body);
  const fault = { ...said, message: hideLiterals(said.message, hide), param: hideLiterals(said.param, hide) };
  return classify(fault, failure.status, failure.headers, failure.target);
}

/**
 * Does the same for an error object that arrived inside a stream or a response of status 200.
 * @see docs/spec/wire-formats.md 0.5
 */
export function classifyErrorObject(error: unknown, target?: string): GatewayError {
  const fault = readFault(error);
  return classify(fault, inBandStatus(fault), new Headers(), target);
}

/** Makes the error for a request that never reached the upstream, for example a refused connection. */
export function classifyUnreachable(cause: unknown, target?: string): GatewayError {
  return new GatewayError("unreachable", "The upstream could not be reached.", {
    ...(target !== undefined && { target }),
    cause,
  });
}

function classify(fault: UpstreamFault, status: number | undefined, headers: Headers, target?: string): GatewayError {
  const base: ErrorDetail = {
    ...(status !== undefined && { upstreamStatus: status }),
    ...(target !== undefined && { target }),
  };
  const load = loadCode(fault, status);
  if (load !== undefined) {
    const retryAfterMs = load === "quota_exhausted" ? undefined : parseRetryAfter(headers, fault.raw, fault.message);
    return say(load, fault, { ...base, ...(retryAfterMs !== undefined && { retryAfterMs }) });
  }
  const overflow = isAuth(fault, status) ? undefined : detectContextOverflow(fault);
  if (overflow !== undefined) return say("context_length_exceeded", fault, { ...base, ...overflow });

  const param = fault.param === "" ? {} : { param: safeUpstreamText(fault.param) };
  const code = codeOf(fault, status);
  if (code === "invalid_thinking") return say(code, fault, { ...base, repair: { type: "strip-thinking" } });
  const mayReject = code === "bad_request" || (code === "upstream_error" && status === 500);
  const rejected = mayReject ? detectRejectedCapability(fault) : undefined;
  if (rejected !== undefined) {
    const capability = safeUpstreamText(rejected.capability);
    return say("capability_rejected", fault, { ...base, param: capability, ...param, ...rejected, capability });
  }
  return say(code, fault, code === "bad_request" ? { ...base, ...param } : base);
}

/** Codes that must be told apart before anything else: a rate limit may well say "too many tokens". */
function loadCode(fault: UpstreamFault, status: number | undefined): ErrorCode | undefined {
  const { message, code, type } = fault;
  if (isQuota(fault, status)) return "quota_exhausted";
  const mayLoad = status === undefined || status >= 500 || status === 425;
  if (mayLoad && /loading model|model is (?:still )?(?:loading|sleeping)|engine is sleeping/i.test(message)) {
    return "model_loading";
  }
  if (status === 503 && type === "unavailable_error") return "model_loading";
  const overloaded = status === 529 || type === "overloaded_error" || type === "overloaded";
  if (overloaded || status === 503 || fault.status === "UNAVAILABLE") return "overloaded";
  const words = [type, code, fault.status].join(" ");
  if (status === 429 || /rate_limit|rate_limited|throttling|too_?many_?requests|RESOURCE_EXHAUSTED/i.test(words)) {
    return "rate_limited";
  }
  const mayLimit = status === undefined || status === 400 || status === 500;
  return mayLimit && /too many requests|rate limit (?:reached|exceeded)/i.test(message) ? "rate_limited" : undefined;
}

function isQuota(fault: UpstreamFault, status: number | undefined): boolean {
  const { type, code, message, raw } = fault;
  if (status === 402 || type === "insufficient_quota" || code === "insufficient_quota") return true;
  if (type === "billing_error" || /credit balance is too low/i.test(message)) return true;
  const details = raw["details"];
  if (/spend_limit_reached/.test(JSON.stringify(details) ?? "")) return true;
  if (status !== undefined && status !== 429) return false;
  const hasRetryInfo = Array.isArray(details) && JSON.stringify(details).includes("retryDelay");
  return /current quota/i.test(message) && !hasRetryInfo;
}

function isAuth({ type, code, status: word, raw }: UpstreamFault, status: number | undefined): boolean {
  if (status === 401 || status === 403) return true;
  if (/^(?:authentication_error|permission_error|invalid_api_key)$/.test(type || code)) return true;
  if (word === "PERMISSION_DENIED" || word === "UNAUTHENTICATED" || code === "invalid_api_key") return true;
  return JSON.stringify(raw["details"])?.includes("API_KEY_INVALID") === true;
}

function codeOf(fault: UpstreamFault, status: number | undefined): ErrorCode {
  const { message, type, code, status: word } = fault;
  const words = `${type} ${code} ${word}`;
  if (isAuth(fault, status)) return "upstream_auth";
  // Another gateway found out that the request goes in circles: so would every further try.
  if (status === 508 || code === "loop_detected") return "loop_detected";
  if (status === 404 || /model_not_found|model_decommissioned|not_found_error|NOT_FOUND/.test(words))
    return "model_not_found";
  if (status === 413 || type === "request_too_large") return "payload_too_large";
  if (status === 408 || status === 504 || /timeout_error|DEADLINE_EXCEEDED/.test(words)) return "upstream_timeout";
  if (invalidThinking.test(message)) return "invalid_thinking";
  if (/content_filter|content_policy_violation|invalid_prompt/.test(words)) return "content_policy";
  if (status === undefined) return /invalid_request|BadRequest/i.test(words) ? "bad_request" : "upstream_error";
  if (status < 400 || status === 405 || status === 501) return "bad_upstream_response";
  return status >= 500 || status === 409 || status === 424 || status === 425 ? "upstream_error" : "bad_request";
}

const invalidThinking =
  /Invalid `?signature`? in `?thinking`?|Expected `?thinking`?|thinking`? (?:or `?redacted_thinking`? )?blocks?.{0,80}cannot be modified/i;

/** Finds the status that an error object would have come with: a numeric code, or what its word stands for. */
function inBandStatus({ code, type }: UpstreamFault): number | undefined {
  const numeric = Number(code);
  if (Number.isInteger(numeric) && numeric >= 400 && numeric < 600) return numeric;
  return statusOfType[type];
}

const statusOfType: Readonly<Record<string, number>> = {
  overloaded_error: 529,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  authentication_error: 401,
  permission_error: 403,
  billing_error: 402,
  not_found_error: 404,
  request_too_large: 413,
  invalid_request_error: 400,
};

const sentences: Partial<Record<ErrorCode, string>> = {
  rate_limited: "The upstream's rate limit is reached.",
  quota_exhausted: "The upstream account's quota is used up.",
  overloaded: "The upstream is overloaded.",
  model_loading: "The upstream is still loading the model.",
  upstream_auth: "The upstream refused the gateway's credentials.",
  upstream_timeout: "The upstream timed out.",
  upstream_error: "The upstream failed to answer.",
  bad_upstream_response: "The upstream sent no usable answer.",
};

function say(code: ErrorCode, fault: UpstreamFault, detail: ErrorDetail): GatewayError {
  // The text of an authentication error often quotes the key.
  const text = code === "upstream_auth" ? "" : safeUpstreamText(fault.message);
  const sentence = sentences[code];
  const status = detail.upstreamStatus === undefined ? "" : ` (status ${detail.upstreamStatus})`;
  const message =
    sentence === undefined
      ? text || `The upstream refused the request${status} without saying why.`
      : text === ""
        ? sentence.replace(/\.$/, `${status}.`)
        : `${sentence.replace(/\.$/, `${status}`)}: ${text}`;
  return new GatewayError(code, message, detail);
}
