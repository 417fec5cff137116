import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerBegin } from "../../ledger/ledger-store.ts";

/** What one line of a journal says. */
export type JournalLine =
  | { readonly kind: "begin"; readonly begin: LedgerBegin }
  | { readonly kind: "settle"; readonly record: ExchangeRecord };

/** An array, since names would be half of the line; written before every upstream call. */
export function encodeBegin(begin: LedgerBegin): string {
  const { id, at, dialect, keyId, team, user, tags, asked, stream, reason, target } = begin;
  const { inputTokens, outputTokens, cost, priceVersion } = begin;
  const place = [target.target, target.upstream, target.provider, target.model, target.placement];
  const rest = [inputTokens, outputTokens, cost, priceVersion];
  return `b${JSON.stringify([id, at, dialect, keyId, team, user, tags, asked, stream, reason, place, rest])}\n`;
}

export function encodeSettle(record: ExchangeRecord): string {
  return `s${JSON.stringify(record)}\n`;
}

type Nullable<T> = T | null;
type BeginFields = [
  string,
  number,
  LedgerBegin["dialect"],
  Nullable<string>,
  Nullable<string>,
  Nullable<string>,
  string[],
  string,
  boolean,
  Nullable<NonNullable<LedgerBegin["reason"]>>,
  [string, string, string, string, LedgerBegin["target"]["placement"]],
  [number, number, Nullable<number>, Nullable<string>],
];

function decodeBegin(json: string): LedgerBegin {
  const fields = JSON.parse(json) as BeginFields;
  const [id, at, dialect, keyId, team, user, tags, asked, stream, reason, place, rest] = fields;
  const [target, upstream, provider, model, placement] = place;
  return {
    id,
    at,
    dialect,
    keyId: keyId ?? undefined,
    team: team ?? undefined,
    user: user ?? undefined,
    tags,
    asked,
    stream,
    reason: reason ?? undefined,
    target: { target, upstream, provider, model, placement },
    inputTokens: rest[0],
    outputTokens: rest[1],
    cost: rest[2] ?? undefined,
    priceVersion: rest[3] ?? undefined,
  };
}

/** Undefined for a line that a crash cut or damaged. */
export function decodeLine(line: string): JournalLine | undefined {
  try {
    if (line.startsWith("b")) return { kind: "begin", begin: decodeBegin(line.slice(1)) };
    if (!line.startsWith("s")) return undefined;
    const record = JSON.parse(line.slice(1)) as ExchangeRecord;
    return typeof record.id === "string" ? { kind: "settle", record } : undefined;
  } catch {
    return undefined;
  }
}
