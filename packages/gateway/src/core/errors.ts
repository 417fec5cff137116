/** Whose doing an error is. Only `upstream` counts in a circuit breaker. */
export type Fault = "client" | "policy" | "upstream" | "gateway";

interface ErrorRow {
  /** HTTP status towards a client. */
  readonly status: number;
  readonly fault: Fault;
  /** May the attempt loop ask the same target again? */
  readonly retrySame: "no" | "once" | "after-wait";
  /** May it ask another target? */
  readonly retryOther: "no" | "yes" | "larger-window";
  /** `load` lowers a target's standing without counting as a failure. */
  readonly breaker: "none" | "load" | "failure";
}

const row = (
  status: number,
  fault: Fault,
  retrySame: ErrorRow["retrySame"] = "no",
  retryOther: ErrorRow["retryOther"] = "no",
  breaker: ErrorRow["breaker"] = "none",
): ErrorRow => ({ status, fault, retrySame, retryOther, breaker });

/**
 * Every error the gateway can answer with, and what the attempt loop may do about it.
 * `docs/errors.md` has a paragraph for each; a test compares the two.
 * @see docs/spec/wire-formats.md 7.2
 */
export const errorTable = {
  // The request itself.
  invalid_request: row(400, "client"),
  invalid_json: row(400, "client"),
  capability_unavailable: row(400, "client"),
  context_length_exceeded: row(400, "client", "no", "larger-window"),
  unauthorized: row(401, "client"),
  budget_exhausted: row(402, "policy"),
  cross_site_refused: row(403, "policy"),
  policy_forbids: row(403, "policy"),
  key_not_allowed: row(403, "policy"),
  role_forbids: row(403, "policy"),
  conflict: row(409, "client"),
  limit_reached: row(429, "policy"),
  locked_out: row(429, "policy"),
  not_found: row(404, "client"),
  unknown_model: row(404, "client"),
  method_not_allowed: row(405, "client"),
  request_timeout: row(408, "client"),
  request_too_large: row(413, "client"),
  loop_detected: row(508, "client"),
  client_gone: row(499, "client"),
  // What an upstream answered.
  bad_request: row(400, "client"),
  payload_too_large: row(413, "client", "no", "yes"),
  capability_rejected: row(400, "client", "no", "yes"),
  invalid_thinking: row(400, "client", "once"),
  content_policy: row(400, "client"),
  rate_limited: row(429, "upstream", "after-wait", "yes", "load"),
  quota_exhausted: row(429, "upstream", "no", "yes"),
  upstream_auth: row(502, "upstream", "no", "yes"),
  model_not_found: row(404, "upstream", "no", "yes"),
  upstream_error: row(502, "upstream", "once", "yes", "failure"),
  bad_upstream_response: row(502, "upstream", "no", "yes", "failure"),
  malformed_tool_call: row(502, "upstream", "once", "yes"),
  stream_interrupted: row(502, "upstream", "no", "yes", "failure"),
  overloaded: row(503, "upstream", "after-wait", "yes", "load"),
  model_loading: row(503, "upstream", "no", "yes"),
  unreachable: row(503, "upstream", "no", "yes", "failure"),
  connect_timeout: row(504, "upstream", "no", "yes", "failure"),
  first_content_timeout: row(504, "upstream", "no", "yes", "failure"),
  idle_timeout: row(504, "upstream", "no", "yes", "failure"),
  total_timeout: row(504, "upstream", "no", "yes", "failure"),
  upstream_timeout: row(504, "upstream", "no", "yes", "failure"),
  // What the gateway itself ended.
  superseded: row(499, "policy"),
  deadline_exceeded: row(504, "policy"),
  // The gateway's own state.
  no_target_available: row(503, "gateway"),
  draining: row(503, "gateway"),
  overcapacity: row(503, "gateway"),
  ledger_unavailable: row(503, "gateway"),
  config_rejected: row(500, "gateway"),
  store_unavailable: row(503, "gateway"),
  internal_error: row(500, "gateway"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** A change to the request that makes the same target accept it, without losing what the client asked for. */
export type Repair =
  | { readonly type: "max-tokens"; readonly maxTokens: number }
  | { readonly type: "drop-param"; readonly param: string }
  | { readonly type: "rename-param"; readonly from: string; readonly to: string }
  | { readonly type: "strip-thinking" }
  | { readonly type: "use-endpoint"; readonly endpoint: string };

export interface ErrorDetail {
  /** Path of the offending field as the client sent it, for example `messages[2].content`. */
  readonly param?: string;
  /** `<upstream>/<model>` that failed. */
  readonly target?: string;
  /** Status the upstream answered with. */
  readonly upstreamStatus?: number;
  /** How long to wait before the same target may be asked again. */
  readonly retryAfterMs?: number;
  /** Tokens the prompt has and the window allows, where an overflow error told. */
  readonly tokens?: number;
  readonly limit?: number;
  /** The capability an upstream said it lacks. */
  readonly capability?: string;
  readonly repair?: Repair;
  /** Nothing listens there or the name does not resolve: asking again at once is pointless. */
  readonly refused?: boolean;
  /** The connection broke before any answer: most often an idle one that the upstream had just closed. */
  readonly reset?: boolean;
  /** Overrides the table's status: for an upstream's own 4xx that is passed on. */
  readonly status?: number;
  /** Kept for the log, never sent to a client. */
  readonly cause?: unknown;
}

/**
 * The one error class. `message` is safe to show to a client: it names what was wrong, where, and what was expected,
 * and never holds a secret, a stack or an upstream's address.
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.detail = detail;
  }

  get row(): ErrorRow {
    return errorTable[this.code];
  }

  get status(): number {
    return this.detail.status ?? this.row.status;
  }

  /** Returns the same error with more detail, for example the target that raised it. */
  with(detail: ErrorDetail): GatewayError {
    return new GatewayError(this.code, this.message, { ...this.detail, ...detail });
  }

  /** The only conversion of foreign throws. The original is kept as `cause`. */
  static from(thrown: unknown): GatewayError {
    if (thrown instanceof GatewayError) return thrown;
    // None of our own code recurses without bound: only a body nested beyond reason exhausts the stack.
    if (thrown instanceof RangeError && /call stack/i.test(thrown.message)) {
      return new GatewayError("invalid_request", "The request is nested too deeply.", { cause: thrown });
    }
    return new GatewayError("internal_error", "The gateway failed to handle this request.", { cause: thrown });
  }
}
