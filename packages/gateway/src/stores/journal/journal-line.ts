import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { LedgerBegin } from "../../ledger/ledger-store.ts";

/** What one line of a journal says. */
export type JournalLine =
  | { readonly kind: "begin"; readonly begin: LedgerBegin }
  | { readonly kind: "settle"; readonly record: ExchangeRecord };

/** Text that is its own JSON, as nearly all names are. */
const plain = /^[\w ./:@+-]*$/;

/** JSON of a text; a third of what the general way costs, and a request begins with a dozen of them. */
const quoted = (text: string | undefined): string =>
  text === undefined ? "null" : plain.test(text) ? `"${text}"` : JSON.stringify(text);

/** An array, since names would be half of the line; written before every upstream call. */
export function encodeBegin(begin: LedgerBegin): string {
  const { id, at, dialect, keyId, team, user, tags, asked, stream, reason, target } = begin;
  const { inputTokens, outputTokens, cost, priceVersion } = begin;
  const who = `${quoted(keyId)},${quoted(team)},${quoted(user)},${tags.length === 0 ? "[]" : JSON.stringify(tags)}`;
  const place = `${quoted(target.target)},${quoted(target.upstream)},${quoted(target.provider)},${quoted(target.model)},"${target.placement}"`;
  const rest = `${inputTokens},${outputTokens},${cost ?? null},${quoted(priceVersion)}`;
  return `b[${quoted(id)},${at},"${dialect}",${who},${quoted(asked)},${stream},${quoted(reason)},[${place}],[${rest}]]\n`;
}

/** `json` is the whole `ExchangeRecord`. */
export function settleLine(json: string): string {
  return `s${json}\n`;
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
