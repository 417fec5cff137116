import { isObject, type JsonObject } from "../lib/json.ts";

/** Waits longer than a day are taken as a mistake of the upstream. */
const longestMs = 24 * 60 * 60 * 1000;

/**
 * Returns how long an upstream asks to be left alone, in milliseconds, or undefined when it did not say.
 * A date is measured against the response's own `date` header, so that a wrong local clock does no harm.
 * @see docs/spec/wire-formats.md 7.5
 */
export function parseRetryAfter(headers: Headers, error: JsonObject, message: string): number | undefined {
  const wait =
    toMs(headers.get("retry-after-ms"), 1) ??
    toMs(headers.get("retry-after"), 1000) ??
    untilDate(headers.get("retry-after"), headers) ??
    retryInfo(error["details"]) ??
    exhaustedReset(headers) ??
    durationIn(/try again in ([\d.hms]+)/i.exec(message.slice(0, 2048))?.[1]);
  return wait !== undefined && wait >= 0 && wait <= longestMs ? Math.ceil(wait) : undefined;
}

/** Reads `1h2m3s`, `6m0s`, `1.5s` or `20ms`. */
export function parseDuration(text: string): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/.exec(text);
  if (match === null || text === "") return undefined;
  const [, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match.map(Number).map((part) => part || 0);
  return hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds;
}

function durationIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text.replace(/\.$/, ""));
}

function toMs(text: string | null, unitMs: number): number | undefined {
  return text !== null && /^\s*\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) * unitMs : undefined;
}

function untilDate(text: string | null, headers: Headers): number | undefined {
  const wait = Date.parse(text ?? "") - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

/** Google's `RetryInfo`, the one part of its error that tells the truth about waiting. */
function retryInfo(details: unknown): number | undefined {
  if (!Array.isArray(details)) return undefined;
  for (const detail of details) {
    if (isObject(detail) && typeof detail["retryDelay"] === "string") return parseDuration(detail["retryDelay"]);
  }
  return undefined;
}

/** The longest reset among the limits of which nothing remains. */
function exhaustedReset(headers: Headers): number | undefined {
  const waits: number[] = [];
  headers.forEach((remaining, name) => {
    const isOpenAi = name.startsWith("x-ratelimit-remaining-");
    const isAnthropic = name.startsWith("anthropic-ratelimit-") && name.endsWith("-remaining");
    if (Number(remaining) !== 0 || remaining.trim() === "" || !(isOpenAi || isAnthropic)) return;
    const reset = headers.get(name.replace("remaining", "reset"));
    if (reset === null) return;
    const wait = parseDuration(reset) ?? untilDate(reset, headers);
    if (wait !== undefined) waits.push(wait);
  });
  return waits.length === 0 ? undefined : Math.max(...waits);
}
