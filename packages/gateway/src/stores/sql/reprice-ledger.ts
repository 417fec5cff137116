import type { ExchangeRecord } from "../../core/exchange-record.ts";
import type { RepriceReport } from "../../ledger/ledger-query.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import { readExchanges } from "./read-exchanges.ts";
import { repriceRecord } from "./reprice-record.ts";
import type { SqlDatabase, SqlSession } from "./sql-database.ts";
import { storedIntegerOrNull } from "./stored-number.ts";
import { storedTextOrNull } from "./stored-text.ts";
import { SumChanges } from "./usage-sums.ts";

const batch = 500;

type Counts = { -readonly [K in keyof RepriceReport]: number };

function count(before: ExchangeRecord, after: ExchangeRecord, counts: Counts): void {
  after.attempts.forEach((attempt, i) => {
    const old = before.attempts[i];
    counts.attempts++;
    if (old?.cost !== attempt.cost || old?.priceVersion !== attempt.priceVersion) counts.changed++;
    if (attempt.cost === undefined && attempt.usage.inputTokens + attempt.usage.outputTokens > 0) counts.withoutPrice++;
    counts.costBefore += old?.cost ?? 0;
    counts.costAfter += attempt.cost ?? 0;
  });
}

function differs(a: ExchangeRecord, b: ExchangeRecord): boolean {
  const { cost, unpriced, referenceCost, referenceVersion, attempts } = b;
  if (a.cost !== cost || a.unpriced !== unpriced) return true;
  if (a.referenceCost !== referenceCost || a.referenceVersion !== referenceVersion) return true;
  return attempts.some((attempt, i) => {
    const old = a.attempts[i];
    return old?.cost !== attempt.cost || old?.priceVersion !== attempt.priceVersion;
  });
}

async function update(session: SqlSession, before: ExchangeRecord, after: ExchangeRecord): Promise<void> {
  const { at, id, cost, unpriced, referenceCost, referenceVersion } = after;
  await session.query(
    "UPDATE exchanges SET cost_nano = $3, unpriced = $4, reference_cost_nano = $5, reference_version = $6 WHERE at = $1 AND id = $2",
    [
      at,
      id,
      storedIntegerOrNull(cost),
      unpriced ? 1 : 0,
      storedIntegerOrNull(referenceCost),
      storedTextOrNull(referenceVersion),
    ],
  );
  for (const [number, attempt] of after.attempts.entries()) {
    const old = before.attempts[number];
    if (old?.cost === attempt.cost && old?.priceVersion === attempt.priceVersion) continue;
    await session.query(
      "UPDATE attempts SET cost_nano = $4, price_version = $5 WHERE at = $1 AND exchange_id = $2 AND number = $3",
      [at, id, number, storedIntegerOrNull(attempt.cost), storedTextOrNull(attempt.priceVersion)],
    );
  }
}

/** @see LedgerDatabase.reprice */
export async function repriceLedger(
  database: SqlDatabase,
  fromMs: number,
  toMs: number,
  prices: PriceBook,
  dryRun: boolean,
): Promise<RepriceReport> {
  const counts: Counts = { attempts: 0, changed: 0, withoutPrice: 0, costBefore: 0, costAfter: 0 };
  const lock = database.dialect === "postgres" && !dryRun ? "FOR UPDATE" : "";
  const condition = `e.at >= $1 AND e.at < $2 AND (e.at, e.id) > ($1, $3) ORDER BY e.at, e.id LIMIT ${batch} ${lock}`;
  let [lastAt, lastId] = [fromMs, ""];
  for (;;) {
    const page = await database.transaction(async (session) => {
      const rows = await readExchanges(session, condition, [lastAt, toMs, lastId]);
      const sums = new SumChanges();
      const repriced = rows.map(({ record }) => ({ before: record, after: repriceRecord(record, prices) }));
      for (const { before, after } of repriced) {
        if (dryRun || !differs(before, after)) continue;
        await update(session, before, after);
        sums.add(before, -1);
        sums.add(after, 1);
      }
      await sums.write(session);
      return repriced;
    });
    // Counted once the batch is stored.
    for (const { before, after } of page) count(before, after, counts);
    const last = page.at(-1);
    if (last === undefined || page.length < batch) return counts;
    [lastAt, lastId] = [last.before.at, last.before.id];
  }
}
