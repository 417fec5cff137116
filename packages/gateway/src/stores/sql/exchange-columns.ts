import type { ExchangeRecord, ServedBy } from "../../core/exchange-record.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { SqlRow, SqlValue } from "./sql-database.ts";
import { storedDuration, storedDurationOrNull, storedInteger, storedIntegerOrNull } from "./stored-number.ts";
import { storedTags } from "./stored-tags.ts";
import { storedText, storedTextOrNull } from "./stored-text.ts";
import { decodeTokens, encodeTokens, tokenColumns } from "./token-columns.ts";

export const exchangeColumns: readonly string[] = [
  "at",
  "id",
  "dialect",
  "key_id",
  "team",
  "user_name",
  "tags",
  "asked",
  "stream",
  "strategy",
  "reason",
  "decision",
  "target",
  "upstream",
  "provider",
  "model",
  "placement",
  "served",
  "status",
  "outcome",
  "error_code",
  "error_message",
  "tries",
  ...tokenColumns,
  "estimated",
  "cost_nano",
  "unpriced",
  "reference_cost_nano",
  "reference_version",
  "duration_us",
  "first_content_us",
  "overhead_us",
  "orphaned",
];

/** What is read as a whole only, never searched for. */
type Decision = Pick<
  ExchangeRecord,
  | "exclusions"
  | "nearNames"
  | "routing"
  | "confinedTo"
  | "firstChoice"
  | "fallback"
  | "dropped"
  | "promptTokensEstimate"
>;

function encodeDecision(record: ExchangeRecord): string {
  const { exclusions, nearNames, routing, confinedTo, firstChoice, fallback, dropped, promptTokensEstimate } = record;
  const decision: Decision = {
    exclusions,
    nearNames,
    routing,
    confinedTo,
    firstChoice,
    fallback,
    dropped,
    promptTokensEstimate,
  };
  return JSON.stringify(decision);
}

/** The target that answered, or else the last that was tried. */
export function lastTarget(record: ExchangeRecord): ServedBy | undefined {
  return record.served ?? record.attempts.at(-1);
}

/** In the order of `exchangeColumns`. */
export function encodeExchange({ record, orphaned }: LedgerRow): SqlValue[] {
  const target = lastTarget(record);
  return [
    storedInteger(record.at),
    storedText(record.id, 100),
    record.dialect,
    storedTextOrNull(record.keyId),
    storedTextOrNull(record.team),
    storedTextOrNull(record.user),
    JSON.stringify(storedTags(record.tags)),
    storedText(record.asked, 500),
    record.stream ? 1 : 0,
    record.strategy ?? null,
    record.reason ?? null,
    encodeDecision(record),
    storedTextOrNull(target?.target),
    storedTextOrNull(target?.upstream),
    storedTextOrNull(target?.provider),
    storedTextOrNull(target?.model),
    target?.placement ?? null,
    record.served === undefined ? 0 : 1,
    storedInteger(record.status),
    record.outcome,
    record.error?.code ?? null,
    storedTextOrNull(record.error?.message),
    record.attempts.length,
    ...encodeTokens(record.usage),
    record.usageEstimated ? 1 : 0,
    storedIntegerOrNull(record.cost),
    record.unpriced ? 1 : 0,
    storedIntegerOrNull(record.referenceCost),
    storedTextOrNull(record.referenceVersion),
    storedDuration(record.durationMs),
    storedDurationOrNull(record.firstContentMs),
    storedDuration(record.overheadMs),
    orphaned ? 1 : 0,
  ];
}

const text = (value: SqlValue | undefined): string | undefined => (typeof value === "string" ? value : undefined);
const number = (value: SqlValue | undefined): number | undefined => (value == null ? undefined : Number(value));
const milliseconds = (value: SqlValue | undefined): number | undefined =>
  value == null ? undefined : Number(value) / 1_000;

/** The target columns of an exchange or an attempt. */
export function decodeTarget(row: SqlRow): ServedBy {
  return {
    target: String(row["target"]),
    upstream: String(row["upstream"]),
    provider: String(row["provider"]),
    model: String(row["model"]),
    placement: row["placement"] as ServedBy["placement"],
  };
}

/** Gives back what `encodeExchange` was given, with the attempts it did not take. */
export function decodeExchange(row: SqlRow, attempts: ExchangeRecord["attempts"]): LedgerRow {
  const decision = JSON.parse(String(row["decision"])) as Partial<Decision>;
  const errorCode = text(row["error_code"]) as NonNullable<ExchangeRecord["error"]>["code"] | undefined;
  const record: ExchangeRecord = {
    id: String(row["id"]),
    at: Number(row["at"]),
    dialect: row["dialect"] as ExchangeRecord["dialect"],
    keyId: text(row["key_id"]),
    team: text(row["team"]),
    user: text(row["user_name"]),
    tags: JSON.parse(String(row["tags"])) as string[],
    asked: String(row["asked"]),
    stream: row["stream"] === 1,
    strategy: text(row["strategy"]) as ExchangeRecord["strategy"],
    reason: text(row["reason"]) as ExchangeRecord["reason"],
    promptTokensEstimate: decision.promptTokensEstimate,
    exclusions: decision.exclusions ?? [],
    nearNames: decision.nearNames ?? [],
    routing: decision.routing,
    confinedTo: decision.confinedTo,
    firstChoice: decision.firstChoice,
    served: row["served"] === 1 ? decodeTarget(row) : undefined,
    fallback: decision.fallback,
    attempts,
    dropped: decision.dropped ?? [],
    usage: decodeTokens(row),
    usageEstimated: row["estimated"] === 1,
    cost: number(row["cost_nano"]),
    unpriced: row["unpriced"] === 1,
    referenceCost: number(row["reference_cost_nano"]),
    referenceVersion: text(row["reference_version"]),
    status: Number(row["status"]),
    outcome: row["outcome"] as ExchangeRecord["outcome"],
    error: errorCode && { code: errorCode, message: text(row["error_message"]) ?? "" },
    durationMs: milliseconds(row["duration_us"]) ?? 0,
    firstContentMs: milliseconds(row["first_content_us"]),
    overheadMs: milliseconds(row["overhead_us"]) ?? 0,
  };
  return { record, orphaned: row["orphaned"] === 1 };
}
