import { expect, test } from "bun:test";
import fc from "fast-check";
import type { DeploymentId } from "../../src/core/deployment.ts";
import type { RoutingRecord } from "../../src/core/exchange-record.ts";
import type { NanoDollars } from "../../src/core/money.ts";
import type { PicoDollars, Price } from "../../src/core/price.ts";
import { noUsage } from "../../src/core/usage.ts";
import type { UsageQuery, UsageRow } from "../../src/ledger/ledger-query.ts";
import { LedgerRefusal } from "../../src/ledger/ledger-refusal.ts";
import type { LedgerRow } from "../../src/ledger/ledger-row.ts";
import { migrate } from "../../src/stores/sql/migrate.ts";
import type { SqlDatabase } from "../../src/stores/sql/sql-database.ts";
import { SqlLedgerDatabase } from "../../src/stores/sql/sql-ledger-database.ts";
import { features } from "../fixtures/features.ts";
import { attemptOf, cloudTarget, exchangeOf, localTarget, randomRow, seeded } from "../fixtures/ledger-rows.ts";
import { onEveryDatabase, type TestDatabases } from "../fixtures/test-databases.ts";
import { usageOracle } from "../fixtures/usage-oracle.ts";

const day = 86_400_000;
const hour = 3_600_000;
const start = Date.UTC(2026, 2, 28);
const end = start + 4 * day;
const all = { fromMs: start, toMs: end };

async function openLedger(databases: TestDatabases): Promise<{ ledger: SqlLedgerDatabase; database: SqlDatabase }> {
  const database = await databases.open();
  await migrate(database);
  return { ledger: new SqlLedgerDatabase(database), database };
}

const settled = (...records: LedgerRow["record"][]): LedgerRow[] =>
  records.map((record) => ({ record, orphaned: false }));

async function everyRow(ledger: SqlLedgerDatabase): Promise<LedgerRow[]> {
  return Array.fromAsync(ledger.exportRows({ fromMs: 0, toMs: end + 100 * day }));
}

function amountsOf(rows: readonly UsageRow[], query: UsageQuery): Record<string, number[]> {
  const entries = rows.map((row): [string, number[]] => [
    query.groupBy.map((name) => row.group[name]).join(" "),
    [
      row.requests,
      row.errors,
      row.attempts,
      row.usage.inputTokens,
      row.usage.cachedReadTokens,
      row.usage.outputTokens,
      row.cost ?? 0,
      row.saved,
      Math.round((row.averageMs ?? 0) * row.requests * 1_000),
    ],
  ]);
  return Object.fromEntries(entries);
}

const questions: UsageQuery[] = [
  { ...all, groupBy: [] },
  { ...all, groupBy: ["model", "day"] },
  { ...all, groupBy: ["tag", "team"] },
  { ...all, groupBy: ["key"], filters: { placement: "cloud" } },
  { ...all, groupBy: ["placement"], filters: { tag: "red", team: "team-1" } },
  { fromMs: start + 1_234_567, toMs: end - 2_345_678, groupBy: ["target", "tag"] },
  { fromMs: start + 1_234_567, toMs: end - 2_345_678, groupBy: ["provider"], filters: { tag: "blue", user: "user-1" } },
  { fromMs: start + 100, toMs: start + 5_000_000, groupBy: ["upstream"] },
];

async function expectSumsOfRows(ledger: SqlLedgerDatabase): Promise<void> {
  const rows = await everyRow(ledger);
  for (const query of questions) {
    const answer = amountsOf(await ledger.usage(query), query);
    expect({ query, sums: answer }).toEqual({ query, sums: usageOracle(rows, query) });
  }
}

const rate = (dollarsPerMillion: number) => ({ base: (dollarsPerMillion * 1e6) as PicoDollars, tiers: [] });
const newPrice: Price = { version: "book 2027-01", input: rate(2), output: rate(10) };
const newPrices = {
  priceOf: ({ model }: { model: string }) => (model === "large" ? newPrice : undefined),
  referencePrice: () => ({ ...newPrice, perRequest: 7 as NanoDollars }),
};

onEveryDatabase("the ledger", (databases) => {
  test("an exchange comes back as it was stored: usage as sent, decision, every attempt", async () => {
    const { ledger } = await openLedger(databases);
    const failed = attemptOf(localTarget, {
      error: "overloaded",
      upstreamStatus: 503,
      usage: noUsage,
      cost: undefined,
    });
    const answered = attemptOf(cloudTarget, { rawUsage: [{ input_tokens: 3, odd: null }, { output_tokens: 7 }] });
    const record = exchangeOf("a1", start + 5, {
      attempts: [{ ...failed, rawUsage: undefined, priceVersion: undefined, firstContentMs: undefined }, answered],
      served: cloudTarget,
      fallback: { from: "box/small", why: "overloaded" },
      confinedTo: "local",
      nearNames: ["small-2"],
      dropped: ["logprobs"],
      error: { code: "stream_interrupted", message: "It broke off." },
      outcome: "error",
    });
    await ledger.append(settled(record, exchangeOf("a2", start + 6)));
    expect(await ledger.exchange("a1")).toEqual({ record, orphaned: false });
    expect(await ledger.exchange("nobody")).toBeUndefined();
  });

  test("what a decision was made from comes back as it was, strange text included", async () => {
    const { ledger } = await openLedger(databases);
    const routing: RoutingRecord = {
      model: "large",
      rule: "local is adequate",
      features: features({ complexity: 0.123_456_789_012_345, prefixHash: 0xffff_ffff, conversationHash: 0x8000_0000 }),
      needs: ["tools"],
      wish: {
        localOnly: false,
        allowFallbacks: false,
        maxPrice: { prompt: 0, completion: 2.5 },
        session: "a\u0000\ud800b",
      },
      key: { name: "ci", region: "eu", localOnly: true },
      reasoning: "high",
      order: ["box/small", "far/large"],
      candidates: [{ target: "box/small" as DeploymentId, costUsd: 1e-9, ttftMs: 12.5, quality: 0.5, inFlight: 3 }],
      experiment: { name: "split", arm: "b", probability: 1 / 3 },
      control: { threshold: 0.437_21, chose: "cloud" },
      spillCostUsd: 0.000_001,
    };
    const record = exchangeOf("r1", start + 5, { routing });
    await ledger.append(settled(record));
    expect(await ledger.exchange("r1")).toEqual({ record, orphaned: false });
    expect(await everyRow(ledger)).toEqual([{ record, orphaned: false }]);
  });

  test("an exchange that reached no target, without key, price or tags is kept as well", async () => {
    const { ledger } = await openLedger(databases);
    const record = exchangeOf("b1", start, {
      keyId: undefined,
      team: undefined,
      user: undefined,
      tags: [],
      strategy: undefined,
      reason: undefined,
      promptTokensEstimate: undefined,
      firstChoice: undefined,
      served: undefined,
      attempts: [],
      usage: noUsage,
      cost: undefined,
      referenceCost: undefined,
      referenceVersion: undefined,
      firstContentMs: undefined,
    });
    await ledger.append(settled(record));
    expect(await ledger.exchange("b1")).toEqual({ record, orphaned: false });
    const [row] = await ledger.usage({ ...all, groupBy: ["target"] });
    expect(row).toMatchObject({
      group: { target: null },
      requests: 1,
      attempts: 0,
      cost: 0,
      averageFirstContentMs: undefined,
    });
  });

  test("storing a batch again changes nothing, also within one batch", async () => {
    const { ledger } = await openLedger(databases);
    const rows = settled(exchangeOf("c1", start), exchangeOf("c2", start + 1), exchangeOf("c1", start));
    await ledger.append(rows);
    await ledger.append(rows);
    expect((await everyRow(ledger)).map(({ record }) => record.id)).toEqual(["c1", "c2"]);
    await expectSumsOfRows(ledger);
  });

  test("a settled row replaces the orphan of the same exchange, never the other way round", async () => {
    const { ledger } = await openLedger(databases);
    const guess = exchangeOf("d1", start, { outcome: "interrupted", usageEstimated: true, cost: 77_000 });
    const orphan: LedgerRow = {
      record: { ...guess, attempts: [attemptOf(cloudTarget, { cost: 77_000 })] },
      orphaned: true,
    };
    const truth = exchangeOf("d1", start);
    await ledger.append([orphan]);
    await expectSumsOfRows(ledger);
    await ledger.append(settled(truth));
    await ledger.append([orphan]);
    expect(await everyRow(ledger)).toEqual(settled(truth));
    await expectSumsOfRows(ledger);
  });

  test("odd values are bent to fit instead of blocking the batch", async () => {
    const { ledger } = await openLedger(databases);
    const usage = { ...noUsage, inputTokens: 1e300, outputTokens: Number.NaN, reasoningTokens: -4 };
    const attempts = [attemptOf(localTarget, { usage, rawUsage: { text: "\u0000\ud800" } })];
    const record = exchangeOf("e1", start, { asked: "nul\u0000 \ud800 end", usage, attempts, tags: ["x\u0000", "x"] });
    await ledger.append(settled(record));
    const found = await ledger.exchange("e1");
    expect(found?.record.asked).toBe("nul \ufffd end");
    expect(found?.record.usage).toEqual({ ...noUsage, inputTokens: Number.MAX_SAFE_INTEGER, reasoningTokens: -4 });
    expect(found?.record.tags).toEqual(["x"]);
  });

  test("rows that can never be stored are refused as such, and nothing of their batch stays", async () => {
    const { ledger } = await openLedger(databases);
    const broken = exchangeOf("f2", start, { outcome: null as never });
    const appended = ledger.append(settled(exchangeOf("f1", start), broken));
    expect(await appended.catch((error: unknown) => error)).toBeInstanceOf(LedgerRefusal);
    expect(await everyRow(ledger)).toEqual([]);
  });

  test("sums equal the rows after any mix of appends, repeats, orphans, new prices and retention", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1e9 }), async (seed) => {
        const { ledger } = await openLedger(databases);
        const random = seeded(seed);
        const made: LedgerRow[] = [];
        for (let step = 0; step < 6; step++) {
          const batch = Array.from({ length: 1 + Math.floor(random() * 90) }, (_, i) => {
            const old = made[Math.floor(random() * made.length)];
            // Some were seen before, as they were or settled since.
            if (old !== undefined && random() < 0.3) return { record: old.record, orphaned: random() < 0.5 };
            return randomRow(random, `s${seed}-${step}-${i}`, start, end);
          });
          made.push(...batch);
          await ledger.append(batch);
          if (random() < 0.3)
            await ledger.reprice(start, start + Math.floor(random() * 4 * day), newPrices, { dryRun: false });
          if (random() < 0.2) await ledger.prune(start + Math.floor(random() * 3 * day));
        }
        await expectSumsOfRows(ledger);
      }),
      { numRuns: 6, seed: 20_261_121 },
    );
  }, 60_000);

  test("days are those of the zone asked for, also where the clocks change and where hours begin at half past", async () => {
    const { ledger } = await openLedger(databases);
    // Berlin goes from UTC+1 to UTC+2 on the 29th, so that its 29th has 23 hours.
    const times = [start + 23 * hour - 1, start + 23 * hour, start + 46 * hour - 1, start + 46 * hour];
    await ledger.append(settled(...times.map((at, i) => exchangeOf(`g${i}`, at))));
    const days = async (timeZone: string): Promise<string[]> => {
      const rows = await ledger.usage({ ...all, groupBy: ["day"], timeZone });
      return rows.map((row) => `${row.group.day} ${row.requests}`);
    };
    expect(await days("Europe/Berlin")).toEqual(["2026-03-28 1", "2026-03-29 2", "2026-03-30 1"]);
    expect(await days("UTC")).toEqual(["2026-03-28 2", "2026-03-29 2"]);
    await ledger.append(settled(...[-1, 0].map((ms) => exchangeOf(`h${ms}`, start + 18.5 * hour + ms))));
    expect(await days("Asia/Kolkata")).toEqual(["2026-03-28 1", "2026-03-29 3", "2026-03-30 2"]);
  });

  test("spending of a scope counts every attempt where it was made, in exact buckets", async () => {
    const { ledger } = await openLedger(databases);
    const both = [attemptOf(localTarget, { cost: 3, error: "overloaded" }), attemptOf(cloudTarget, { cost: 40 })];
    const times = [start, start + 5 * hour + 1, start + 30 * hour, start + 3 * day + 7];
    await ledger.append(
      settled(...times.map((at, i) => exchangeOf(`i${i}`, at, { attempts: both, served: cloudTarget, cost: 43 }))),
    );
    const spent = async (kind: Parameters<typeof ledger.spent>[0]["kind"], value?: string): Promise<number> =>
      (await ledger.spent({ kind, value }, start + 1, end)).reduce((sum, bucket) => sum + bucket.cost, 0);
    expect(await spent("total")).toBe(129);
    expect(await spent("placement", "local")).toBe(9);
    expect(await spent("provider", "elsewhere")).toBe(120);
    expect(await spent("upstream", "box")).toBe(9);
    expect(await spent("team", "team-1")).toBe(129);
    expect(await spent("key", "nobody")).toBe(0);
    expect(await spent("tag", "red")).toBe(129);
    const total = { kind: "total", value: undefined } as const;
    expect(await ledger.spent(total, start + 1, end, 1_800_000)).toEqual([
      { fromMs: start + 1 + 5 * hour, cost: 43 },
      { fromMs: start + 1 + 29.5 * hour, cost: 43 },
      { fromMs: start + 1 + 3 * day, cost: 43 },
    ]);
    expect(await ledger.spent(total, start, end, 12 * hour)).toEqual([
      { fromMs: start, cost: 86 },
      { fromMs: start + day, cost: 43 },
      { fromMs: start + 3 * day, cost: 43 },
    ]);
    expect(await ledger.spent(total, start, end - 10, 24 * hour)).toEqual([
      { fromMs: start, cost: 86 },
      { fromMs: start + day, cost: 43 },
      { fromMs: start + 3 * day, cost: 43 },
    ]);
    expect(await ledger.spent(total, start + 1_000, end, 12 * hour)).toEqual([
      { fromMs: start + 1_000, cost: 43 },
      { fromMs: start + 1_000 + day, cost: 43 },
      { fromMs: start + 1_000 + 2.5 * day, cost: 43 },
    ]);
  });

  test("pages go from the newest to the oldest without gap or repeat, also where times are equal", async () => {
    const { ledger } = await openLedger(databases);
    const rows = settled(
      ...Array.from({ length: 25 }, (_, i) =>
        exchangeOf(`j${String(i).padStart(2, "0")}`, start + Math.floor(i / 10) * day, {
          keyId: i % 2 ? "odd" : "even",
        }),
      ),
    );
    await ledger.append(rows);
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await ledger.exchanges({ ...all, filters: { key: "odd" }, limit: 5, cursor });
      ids.push(...page.rows.map(({ record }) => record.id));
      cursor = page.next;
    } while (cursor !== undefined);
    const odd = rows.map(({ record }) => record).filter(({ keyId }) => keyId === "odd");
    expect(ids).toEqual(odd.map(({ id }) => id).reverse());
    expect((await ledger.exchanges({ ...all, limit: 3, cursor: "no cursor" })).rows).toEqual([]);
    expect((await ledger.exchanges({ ...all, filters: { tag: "red", outcome: "ok" }, limit: 3 })).rows).toHaveLength(3);
    expect((await ledger.exchanges({ ...all, filters: { outcome: "error" }, limit: 3 })).rows).toEqual([]);
  });

  test("new prices are told before they are booked, and reach rows, exchanges and sums", async () => {
    const { ledger } = await openLedger(databases);
    const cheap = exchangeOf("k1", start);
    const usage = { ...noUsage, inputTokens: 100, outputTokens: 30 };
    const large = [attemptOf(cloudTarget, { usage, cost: undefined, priceVersion: undefined })];
    const unpriced = { attempts: large, usage, served: cloudTarget, cost: undefined, unpriced: true };
    await ledger.append(settled(cheap, exchangeOf("k2", start + 1, unpriced)));
    const expected = { attempts: 2, changed: 1, withoutPrice: 0, costBefore: 1_000, costAfter: 501_000 };
    expect(await ledger.reprice(start, end, newPrices, { dryRun: true })).toEqual(expected);
    expect((await ledger.exchange("k2"))?.record.cost).toBeUndefined();
    expect(await ledger.reprice(start, end, newPrices, { dryRun: false })).toEqual(expected);
    const record = (await ledger.exchange("k2"))?.record;
    expect(record).toMatchObject({ cost: 500_000, unpriced: false, referenceCost: 500_007 });
    expect(record?.attempts[0]?.priceVersion).toBe("book 2027-01");
    expect((await ledger.savings({ ...all, groupBy: ["model"] })).find((row) => row.group.model === "large")).toEqual({
      group: { model: "large" },
      requests: 1,
      compared: 1,
      cost: 500_000,
      referenceCost: 500_007,
      saved: 7,
    });
    await expectSumsOfRows(ledger);
  });

  test("retention takes whole days with everything that belongs to them", async () => {
    const { ledger, database } = await openLedger(databases);
    await ledger.append(
      settled(...[0, 1, 2, 3].map((n) => exchangeOf(`l${n}`, start + n * day + 5, { keyId: `k${n}` }))),
    );
    expect(await ledger.prune(start + 2 * day + hour)).toBe(2);
    expect((await everyRow(ledger)).map(({ record }) => record.id)).toEqual(["l2", "l3"]);
    await expectSumsOfRows(ledger);
    for (const table of ["attempts", "usage_series"]) {
      expect(await database.query(`SELECT COUNT(*) AS rows FROM ${table}`)).toEqual([{ rows: 2 }]);
    }
    for (const table of ["exchange_tags", "usage_series_tags", "usage_sums"]) {
      expect(await database.query(`SELECT COUNT(*) AS rows FROM ${table}`)).toEqual([{ rows: 4 }]);
    }
    expect(await ledger.prune(start + 2 * day)).toBe(0);
    await ledger.append(settled(exchangeOf("l0", start + 5)));
    expect(await everyRow(ledger)).toHaveLength(3);
  });

  test("an export reads any number of rows in order", async () => {
    const { ledger } = await openLedger(databases);
    const random = seeded(5);
    const rows = Array.from({ length: 1_203 }, (_, i) => randomRow(random, `m${i}`, start, start + 3_000));
    await ledger.append(rows);
    const order = (a: LedgerRow, b: LedgerRow): number =>
      a.record.at - b.record.at || (a.record.id < b.record.id ? -1 : 1);
    expect(await everyRow(ledger)).toEqual([...rows].sort(order));
  });

  test("several writers at once lose nothing and count nothing twice", async () => {
    const url = databases.url();
    const first = await databases.open(url);
    await migrate(first);
    const ledgers = [first, await databases.open(url), await databases.open(url)].map(
      (db) => new SqlLedgerDatabase(db),
    );
    const random = seeded(9);
    const rows = Array.from({ length: 300 }, (_, i) => randomRow(random, `n${i}`, start, end));
    const batches = Array.from({ length: 30 }, (_, i) => rows.slice(i * 10, i * 10 + 20));
    await Promise.all(batches.map((batch, i) => ledgers[i % ledgers.length]?.append(batch)));
    const [ledger] = ledgers;
    if (ledger === undefined) throw new Error("no ledger");
    expect(await everyRow(ledger)).toHaveLength(300);
    await expectSumsOfRows(ledger);
  });
});
