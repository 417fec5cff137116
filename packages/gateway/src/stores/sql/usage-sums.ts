import type { AttemptRecord, ExchangeRecord, ServedBy } from "../../core/exchange-record.ts";
import { lastTarget } from "./exchange-columns.ts";
import { insertRows } from "./insert-rows.ts";
import type { SqlSession, SqlValue } from "./sql-database.ts";
import { storedDuration, storedInteger } from "./stored-number.ts";
import { encodeTokens, tokenColumns } from "./token-columns.ts";
import { seriesColumns, seriesKey, seriesOf, type UsageSeries } from "./usage-series.ts";

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
export type SumColumn = (typeof sumColumns)[number];

const updates = sumColumns.map((column) => `${column} = usage_sums.${column} + excluded.${column}`).join(", ");
const addUp = `ON CONFLICT (span, start_at, series) DO UPDATE SET ${updates}`;

interface Change {
  readonly startAt: number;
  readonly series: UsageSeries;
  /** In the order of `sumColumns`. */
  readonly amounts: number[];
}

const position = Object.fromEntries(sumColumns.map((column, i) => [column, i])) as Record<SumColumn, number>;
const firstToken = position.input_tokens;

/** Changes of the sums that one transaction makes, collected before they are written. */
export class SumChanges {
  /** By hour, then by what the series is made of. */
  readonly #hours = new Map<number, Map<string, Change>>();

  /** Adds everything of one exchange, or takes it away with `sign` −1. */
  add(record: ExchangeRecord, sign: 1 | -1): void {
    const last = lastTarget(record);
    const { amounts } = this.#change(record, last);
    for (const attempt of record.attempts) {
      const isLast =
        attempt.target === last?.target && attempt.model === last.model && attempt.upstream === last.upstream;
      this.#addAttempt(isLast ? amounts : this.#change(record, attempt).amounts, attempt, sign);
    }
    const add = (column: SumColumn, amount: number): void => addAt(amounts, column, sign * amount);
    add("requests", 1);
    if (record.outcome === "error" || record.outcome === "interrupted") add("errors", 1);
    if (record.usageEstimated) add("estimated", 1);
    if (record.unpriced) add("unpriced", 1);
    if (record.referenceCost !== undefined && record.cost !== undefined && !record.unpriced) {
      const reference = storedInteger(record.referenceCost);
      add("compared", 1);
      add("reference_cost_nano", reference);
      add("saved_nano", reference - storedInteger(record.cost));
    }
    add("duration_us", storedDuration(record.durationMs));
    if (record.firstContentMs === undefined) return;
    add("first_content_us", storedDuration(record.firstContentMs));
    add("first_contents", 1);
  }

  #addAttempt(amounts: number[], attempt: AttemptRecord, sign: 1 | -1): void {
    addAt(amounts, "attempts", sign);
    const tokens = encodeTokens(attempt.usage);
    for (let i = 0; i < tokens.length; i++) {
      amounts[firstToken + i] = (amounts[firstToken + i] ?? 0) + sign * (tokens[i] ?? 0);
    }
    if (attempt.cost === undefined) return;
    addAt(amounts, "cost_nano", sign * storedInteger(attempt.cost));
    addAt(amounts, "priced", sign);
  }

  /** Writes in one order everywhere, so that two processes never wait for each other. */
  async write(session: SqlSession): Promise<void> {
    const hours = [...this.#hours.values()].flatMap((changes) => [...changes.values()]);
    const changes = hours.filter(({ amounts }) => amounts.some((amount) => amount !== 0));
    const series = [...new Map(changes.map((change) => [change.series.id, change.series])).values()].sort(byId);
    await insertRows(session, "usage_series", seriesColumns, series, ({ values }) => values, "ON CONFLICT DO NOTHING");
    const tags = series.flatMap(({ id, tags: own }) => own.map((tag) => [tag, id]));
    await insertRows(session, "usage_series_tags", ["tag", "series"], tags, (row) => row, "ON CONFLICT DO NOTHING");

    const row = (span: number, change: Change): SqlValue[] => [
      span,
      change.startAt,
      change.series.id,
      ...change.amounts,
    ];
    const rows = [
      ...changes.sort(byTime).map((change) => row(hourMs, change)),
      ...byDay(changes).map((change) => row(dayMs, change)),
    ];
    await insertRows(session, "usage_sums", ["span", "start_at", "series", ...sumColumns], rows, (row) => row, addUp);
  }

  #change(record: ExchangeRecord, target: ServedBy | undefined): Change {
    const startAt = record.at - (record.at % hourMs);
    const hour = this.#hours.get(startAt) ?? new Map<string, Change>();
    this.#hours.set(startAt, hour);
    const key = seriesKey(record, target);
    const known = hour.get(key);
    if (known !== undefined) return known;
    const amounts = new Array<number>(sumColumns.length).fill(0);
    const made = { startAt, series: seriesOf(record, target), amounts };
    hour.set(key, made);
    return made;
  }
}

function addAt(amounts: number[], column: SumColumn, amount: number): void {
  const i = position[column];
  amounts[i] = (amounts[i] ?? 0) + amount;
}

function byId(a: UsageSeries, b: UsageSeries): number {
  return a.id < b.id ? -1 : 1;
}

function byTime(a: Change, b: Change): number {
  return a.startAt - b.startAt || byId(a.series, b.series);
}

function byDay(hours: readonly Change[]): Change[] {
  const dayOf = ({ startAt }: Change): number => startAt - (startAt % dayMs);
  const groups = Map.groupBy(hours, (change) => `${dayOf(change)} ${change.series.id}`);
  const days = [...groups.values()].flatMap((group): Change[] => {
    const [first] = group;
    if (first === undefined) return [];
    const amounts = sumColumns.map((_, i) => group.reduce((sum, change) => sum + (change.amounts[i] ?? 0), 0));
    return [{ startAt: dayOf(first), series: first.series, amounts }];
  });
  return days.sort(byTime);
}
