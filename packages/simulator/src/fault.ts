/** Where a stalled answer stops. */
export type StallPoint = "headers" | "first-token" | "mid";

/** One scripted misbehaviour, parsed from its text form. */
export interface Fault {
  readonly spec: string;
  readonly status?: number;
  readonly code?: string;
  readonly retryAfter?: string;
  readonly retryAfterMs?: string;
  readonly shouldRetry?: string;
  readonly stall?: StallPoint;
  readonly errorAt?: "first" | "mid";
  readonly cutAtByte?: number;
  readonly leaveOut?: "done" | "finish";
  readonly malformed?: boolean;
  readonly oneByte?: boolean;
  readonly gzip?: boolean;
  readonly crlf?: boolean;
  readonly comments?: boolean;
  readonly coldMs?: number;
  readonly queueSlots?: number;
  readonly html?: boolean;
  readonly empty?: boolean;
  readonly redirect?: string;
  readonly slowHeadersMs?: number;
  readonly hugeMib?: number;
}

type Writable = { -readonly [K in keyof Fault]: Fault[K] };
const STALLS: readonly string[] = ["headers", "first-token", "mid"];
const MAX_HUGE_MIB = 512;
const MAX_DELAY_MS = 600_000;

const KEYS: Readonly<Record<string, (fault: Writable, value: string) => void>> = {
  status: (fault, value) => {
    fault.status = whole("status", value, 100, 599);
  },
  code: (fault, value) => {
    fault.code = value;
  },
  "retry-after": (fault, value) => {
    fault.retryAfter = value;
  },
  "retry-after-ms": (fault, value) => {
    fault.retryAfterMs = value;
  },
  "should-retry": (fault, value) => {
    fault.shouldRetry = value;
  },
  stall: (fault, value) => {
    if (!STALLS.includes(value)) throw new FaultSpecError(`stall must be one of ${STALLS.join(", ")}`);
    fault.stall = value as StallPoint;
  },
  "error-first": (fault) => {
    fault.errorAt = "first";
  },
  "error-mid": (fault) => {
    fault.errorAt = "mid";
  },
  cut: (fault, value) => {
    fault.cutAtByte = whole("cut", value, 0, Number.MAX_SAFE_INTEGER);
  },
  "no-done": (fault) => {
    fault.leaveOut = "done";
  },
  "no-finish": (fault) => {
    fault.leaveOut = "finish";
  },
  malformed: (fault) => {
    fault.malformed = true;
  },
  "one-byte": (fault) => {
    fault.oneByte = true;
  },
  gzip: (fault) => {
    fault.gzip = true;
  },
  crlf: (fault) => {
    fault.crlf = true;
  },
  comments: (fault) => {
    fault.comments = true;
  },
  cold: (fault, value) => {
    const seconds = Number(value);
    if (!(seconds >= 0)) throw new FaultSpecError("cold must be a number of seconds");
    fault.coldMs = Math.min(Math.round(seconds * 1000), MAX_DELAY_MS);
  },
  queue: (fault, value) => {
    fault.queueSlots = whole("queue", value, 1, 10_000);
  },
  html: (fault) => {
    fault.html = true;
  },
  empty: (fault) => {
    fault.empty = true;
  },
  redirect: (fault, value) => {
    fault.redirect = value === "" ? "http://127.0.0.1:9/elsewhere" : value;
  },
  "slow-headers": (fault, value) => {
    fault.slowHeadersMs = whole("slow-headers", value, 0, MAX_DELAY_MS);
  },
  huge: (fault, value) => {
    fault.hugeMib = value === "" ? 16 : whole("huge", value, 1, MAX_HUGE_MIB);
  },
};

/** Thrown for a fault spec that names an unknown fault or a bad value. */
export class FaultSpecError extends Error {
  override readonly name = "FaultSpecError";
}

/**
 * Parses `key=value;key` into a fault.
 * @throws FaultSpecError
 */
export function parseFault(spec: string): Fault {
  const fault: Writable = { spec };
  for (const part of spec.split(";")) {
    if (part.trim() === "") continue;
    const at = part.indexOf("=");
    const key = (at < 0 ? part : part.slice(0, at)).trim();
    const apply = KEYS[key];
    if (apply === undefined) throw new FaultSpecError(`unknown fault "${key}"; known: ${Object.keys(KEYS).join(", ")}`);
    apply(fault, at < 0 ? "" : part.slice(at + 1).trim());
  }
  return fault;
}

function whole(name: string, value: string, least: number, most: number): number {
  const parsed = Number(value);
  if (value === "" || !Number.isInteger(parsed) || parsed < least || parsed > most) {
    throw new FaultSpecError(`${name} must be a whole number from ${least} to ${most}`);
  }
  return parsed;
}
