import { createHash } from "node:crypto";
import type { ExchangeRecord, ServedBy } from "../../core/exchange-record.ts";
import type { SqlValue } from "./sql-database.ts";
import { storedTags } from "./stored-tags.ts";
import { storedText, storedTextOrNull } from "./stored-text.ts";

export const seriesColumns: readonly string[] = [
  "id",
  "key_id",
  "team",
  "user_name",
  "target",
  "upstream",
  "provider",
  "model",
  "placement",
];

/** One combination of everything reports are grouped by. */
export interface UsageSeries {
  /** Made of the values, so that every process gives the same combination the same id without asking. */
  readonly id: bigint;
  /** In the order of `seriesColumns`. */
  readonly values: readonly SqlValue[];
  readonly tags: readonly string[];
}

/** Stands between values, and for those that are missing: stored text has neither. */
const separator = "\u0000";
const missing = "\u0000\u0000";

const part = (value: string | undefined): string => (value === undefined ? missing : storedText(value));

/** A text that is equal for equal combinations only; made for every attempt, so quickly. */
export function seriesKey(record: ExchangeRecord, target: ServedBy | undefined): string {
  const own = part(record.keyId) + separator + part(record.team) + separator + part(record.user) + separator;
  const tags = separator + storedTags(record.tags).join(separator);
  if (target === undefined) return `${own}${tags}`;
  return `${own}${part(target.target)}${separator}${part(target.upstream)}${separator}${part(target.provider)}${separator}${part(target.model)}${separator}${target.placement}${tags}`;
}

/** Made once per combination and batch. */
export function seriesOf(record: ExchangeRecord, target: ServedBy | undefined): UsageSeries {
  const values = [
    storedTextOrNull(record.keyId),
    storedTextOrNull(record.team),
    storedTextOrNull(record.user),
    storedTextOrNull(target?.target),
    storedTextOrNull(target?.upstream),
    storedTextOrNull(target?.provider),
    storedTextOrNull(target?.model),
    target?.placement ?? null,
  ];
  const tags = storedTags(record.tags);
  const hash = createHash("sha256")
    .update(JSON.stringify([...values, tags]))
    .digest();
  const id = hash.readBigUInt64BE() >> 1n;
  return { id, values: [id, ...values], tags };
}
