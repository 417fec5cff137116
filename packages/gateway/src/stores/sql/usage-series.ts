import { createHash } from "node:crypto";
import type { ExchangeRecord, ServedBy } from "../../core/exchange-record.ts";
import type { SqlValue } from "./sql-database.ts";
import { storedTags } from "./stored-tags.ts";
import { storedTextOrNull } from "./stored-text.ts";

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

/** A text that is equal for equal combinations only. */
export function seriesKey(record: ExchangeRecord, target: ServedBy | undefined): string {
  return JSON.stringify([
    storedTextOrNull(record.keyId),
    storedTextOrNull(record.team),
    storedTextOrNull(record.user),
    storedTextOrNull(target?.target),
    storedTextOrNull(target?.upstream),
    storedTextOrNull(target?.provider),
    storedTextOrNull(target?.model),
    target?.placement ?? null,
    storedTags(record.tags),
  ]);
}

export function seriesOf(key: string): UsageSeries {
  const values = JSON.parse(key) as (string | null)[];
  const tags = values.pop() as unknown as readonly string[];
  const id = createHash("sha256").update(key).digest().readBigUInt64BE() >> 1n;
  return { id, values: [id, ...values], tags };
}
