import type { ExchangeRecord } from "../../core/exchange-record.ts";
import { lastTarget } from "./exchange-columns.ts";
import { insertRows } from "./insert-rows.ts";
import type { SqlSession, SqlValue } from "./sql-database.ts";
import { storedDuration, storedInteger } from "./stored-number.ts";
import { encodeTokens, tokenColumns } from "./token-columns.ts";
import { seriesColumns, seriesKey, seriesOf } from "./usage-series.ts";

export const hourMs = 3_600_000;
export const dayMs = 86_400_000;

/** What is summed, in the order of every array of amounts. */
export const sumColumns = [
  "requests",
  "errors",
  "attempts",
  ...tokenColumns,
  "estimated",
  "cost_nano",
  "priced",
  "unpriced",
  "reference_cost_nano",
  "compared",
  "saved_nano",
  "duration_us",
  "first_content_us",
  "first_contents",
] as const;

const updates = sumColumns.map((column) => `${column} = usage_sums.${column} + excluded.${column}`).join(", ");
const addUp = `ON CONFLICT (span, start_at, series) DO UPDATE SET ${updates}`;

/** Changes of the sums that one transaction makes, collected before they are written. */
export class SumChanges {
  readonly #sums = new Map<string, { startAt: number; series: string; amounts: number[] }>();

  /** Adds everything of one exchange, or takes it away with `sign` −1. */
  add(record: ExchangeRecord, sign: 1 | -1): void {
    for (const attempt of record.attempts) {
      const priced = attempt.cost === undefined ? 0 : 1;
      const cost = storedInteger(attempt.cost ?? 0);
      const none = [0, 0, 0, 0, 0, 0, 0];
      const amounts = [0, 0, 1, ...encodeTokens(attempt.usage), 0, cost, priced, ...none];
      this.#change(record.at, seriesKey(record, attempt), amounts, sign);
    }
    const compared = record.referenceCost !== undefined && record.cost !== undefined && !record.unpriced;
    const reference = storedInteger(record.referenceCost ?? 0);
    const answered = record.firstContentMs !== undefined;
    const amounts = [
      1,
      record.outcome === "error" || record.outcome === "interrupted" ? 1 : 0,
      0,
      ...tokenColumns.map(() => 0),
      record.usageEstimated ? 1 : 0,
      0,
      0,
      record.unpriced ? 1 : 0,
      compared ? reference : 0,
      compared ? 1 : 0,
      compared ? reference - storedInteger(record.cost ?? 0) : 0,
      storedDuration(record.durationMs),
      storedDuration(record.firstContentMs ?? 0),
      answered ? 1 : 0,
    ];
    this.#change(record.at, seriesKey(record, lastTarget(record)), amounts, sign);
  }

  /** Writes in one order everywhere, so that two processes never wait for each other. */
  async write(session: SqlSession): Promise<void> {
    const changes = [...this.#sums.values()].filter(({ amounts }) => amounts.some((amount) => amount !== 0));
    const series = new Map([...new Set(changes.map((change) => change.series))].map((key) => [key, seriesOf(key)]));
    const bySeries = [...series.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const seriesRows = bySeries.map(({ values }) => values);
    await insertRows(session, "usage_series", seriesColumns, seriesRows, "ON CONFLICT DO NOTHING");
    const tags = bySeries.flatMap(({ id, tags: own }) => own.map((tag) => [tag, id]));
    await insertRows(session, "usage_series_tags", ["tag", "series"], tags, "ON CONFLICT DO NOTHING");

    const hours = changes.map(({ startAt, series: key, amounts }) => ({ span: hourMs, startAt, key, amounts }));
    const rows = [...hours, ...byDay(hours)].map(({ span, startAt, key, amounts }) => ({
      span,
      startAt,
      id: series.get(key)?.id ?? 0n,
      amounts,
    }));
    rows.sort((a, b) => a.span - b.span || a.startAt - b.startAt || (a.id < b.id ? -1 : 1));
    const values = rows.map(({ span, startAt, id, amounts }): SqlValue[] => [span, startAt, id, ...amounts]);
    await insertRows(session, "usage_sums", ["span", "start_at", "series", ...sumColumns], values, addUp);
  }

  #change(at: number, series: string, amounts: readonly number[], sign: 1 | -1): void {
    const startAt = at - (at % hourMs);
    const key = `${startAt} ${series}`;
    const known = this.#sums.get(key);
    const change = known ?? { startAt, series, amounts: new Array<number>(amounts.length).fill(0) };
    if (known === undefined) this.#sums.set(key, change);
    for (let i = 0; i < amounts.length; i++) change.amounts[i] = (change.amounts[i] ?? 0) + sign * (amounts[i] ?? 0);
  }
}

interface SpanChange {
  readonly span: number;
  readonly startAt: number;
  readonly key: string;
  readonly amounts: readonly number[];
}

function byDay(hours: readonly SpanChange[]): SpanChange[] {
  const groups = Map.groupBy(hours, ({ startAt, key }) => `${startAt - (startAt % dayMs)} ${key}`);
  return [...groups.values()].map((group): SpanChange => {
    const { startAt = 0, key = "" } = group[0] ?? {};
    const amounts = sumColumns.map((_, i) => group.reduce((sum, change) => sum + (change.amounts[i] ?? 0), 0));
    return { span: dayMs, startAt: startAt - (startAt % dayMs), key, amounts };
  });
}
