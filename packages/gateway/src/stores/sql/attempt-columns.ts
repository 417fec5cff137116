import type { AttemptRecord, ExchangeRecord } from "../../core/exchange-record.ts";
import { decodeTarget } from "./exchange-columns.ts";
import type { SqlRow, SqlValue } from "./sql-database.ts";
import { storedDuration, storedDurationOrNull, storedInteger, storedIntegerOrNull } from "./stored-number.ts";
import { storedText, storedTextOrNull } from "./stored-text.ts";
import { decodeTokens, encodeTokens, tokenColumns } from "./token-columns.ts";

export const attemptColumns: readonly string[] = [
  "at",
  "exchange_id",
  "number",
  "target",
  "upstream",
  "provider",
  "model",
  "placement",
  "error_code",
  "upstream_status",
  ...tokenColumns,
  "estimated",
  "raw_usage",
  "price_version",
  "cost_nano",
  "duration_us",
  "first_content_us",
];

const maxRawUsage = 20_000;

function encodeRawUsage(rawUsage: unknown): string | null {
  if (rawUsage === undefined) return null;
  const json = JSON.stringify(rawUsage) ?? null;
  return json !== null && json.length > maxRawUsage ? '"longer than the ledger keeps"' : json;
}

/** One try of an exchange; `number` counts from 0. */
export interface NumberedAttempt {
  readonly record: ExchangeRecord;
  readonly attempt: AttemptRecord;
  readonly number: number;
}

/** In the order of `attemptColumns`. */
export function encodeAttempt({ record, attempt, number }: NumberedAttempt): SqlValue[] {
  return [
    storedInteger(record.at),
    storedText(record.id, 100),
    number,
    storedText(attempt.target),
    storedText(attempt.upstream),
    storedText(attempt.provider),
    storedText(attempt.model),
    attempt.placement,
    attempt.error ?? null,
    storedIntegerOrNull(attempt.upstreamStatus),
    ...encodeTokens(attempt.usage),
    attempt.usageEstimated ? 1 : 0,
    encodeRawUsage(attempt.rawUsage),
    storedTextOrNull(attempt.priceVersion),
    storedIntegerOrNull(attempt.cost),
    storedDuration(attempt.durationMs),
    storedDurationOrNull(attempt.firstContentMs),
  ];
}

export function decodeAttempt(row: SqlRow): AttemptRecord {
  const { raw_usage: rawUsage, price_version: version, cost_nano: cost, first_content_us: firstContent } = row;
  return {
    ...decodeTarget(row),
    durationMs: Number(row["duration_us"]) / 1_000,
    firstContentMs: firstContent == null ? undefined : Number(firstContent) / 1_000,
    error: (row["error_code"] ?? undefined) as AttemptRecord["error"],
    upstreamStatus: row["upstream_status"] == null ? undefined : Number(row["upstream_status"]),
    usage: decodeTokens(row),
    usageEstimated: row["estimated"] === 1,
    rawUsage: typeof rawUsage === "string" ? (JSON.parse(rawUsage) as unknown) : undefined,
    priceVersion: typeof version === "string" ? version : undefined,
    cost: cost == null ? undefined : Number(cost),
  };
}
