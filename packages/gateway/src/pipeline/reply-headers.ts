import type { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { NanoDollars } from "../core/money.ts";
import { headerValue } from "../lib/header-value.ts";
import type { RateLimitState } from "../policy/rate-limit-state.ts";

/** A wait longer than this is ignored by the SDKs, so they are told not to retry instead. */
const longestHintMs = 60_000;

/** Adds the `X-Router-*` headers of an answer (requirement A3). Before a decision only the id is known. */
export function routerHeaders(exchange: Exchange, headers: Record<string, string>): Record<string, string> {
  headers["x-router-decision-id"] = exchange.id;
  const { decision, fallback } = exchange;
  const target = exchange.served ?? undefined;
  if (decision === undefined) return headers;
  headers["x-router-alias"] = headerValue(decision.asked);
  headers["x-router-reason"] = decision.reason;
  if (target === undefined) return headers;
  headers["x-router-backend"] = target.upstream.placement;
  headers["x-router-target"] = headerValue(target.id);
  headers["x-router-overhead-ms"] = exchange.overheadMs.toFixed(3);
  if (exchange.dropped.length > 0) headers["x-router-dropped"] = headerValue(exchange.dropped.join(","), 1024);
  if (fallback !== undefined) headers["x-router-fallback"] = headerValue(`${fallback.from.id};${fallback.why}`);
  return headers;
}

/** Tells SDKs whether trying again can help: the gateway's own tries are already spent. */
export function retryHeaders(error: GatewayError): Record<string, string> {
  const waitMs = error.detail.retryAfterMs;
  const worthIt =
    error.code === "draining" || error.code === "overcapacity" || (waitMs !== undefined && waitMs <= longestHintMs);
  const headers: Record<string, string> = { "x-should-retry": String(worthIt) };
  if (waitMs !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(waitMs / 1000)));
  else if (worthIt) headers["retry-after"] = "1";
  return headers;
}

const nanoDigits = 9;
const perDollar = 10 ** nanoDigits;

/** Dollars without an exponent, to the nano-dollar. */
export function costText(cost: NanoDollars): string {
  const dollars = Math.floor(cost / perDollar);
  if (dollars * perDollar === cost) return String(dollars);
  let nano = cost - dollars * perDollar;
  let digits = nanoDigits;
  for (; nano % 10 === 0; nano /= 10) digits--;
  return `${dollars}.${String(nano).padStart(digits, "0")}`;
}

/** Adds the `x-ratelimit-*` headers as the SDKs know them; a window of 60 seconds is empty again a minute after the last request. */
export function addRateLimits(headers: Record<string, string>, state: RateLimitState | undefined): void {
  if (state === undefined) return;
  const { requests, tokens } = state;
  if (requests !== undefined) {
    headers["x-ratelimit-limit-requests"] = String(requests.limit);
    headers["x-ratelimit-remaining-requests"] = String(requests.remaining);
    headers["x-ratelimit-reset-requests"] = "60s";
  }
  if (tokens !== undefined) {
    headers["x-ratelimit-limit-tokens"] = String(tokens.limit);
    headers["x-ratelimit-remaining-tokens"] = String(tokens.remaining);
    headers["x-ratelimit-reset-tokens"] = "60s";
  }
}
