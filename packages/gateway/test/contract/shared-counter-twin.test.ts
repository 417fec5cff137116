import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Arbitrary, array, assert, asyncProperty, constantFrom, integer, nat, oneof, record } from "fast-check";
import type { Charge, CountWindow, Reservation } from "../../src/ledger/counter-store.ts";
import { MemoryCounterStore } from "../../src/stores/memory/memory-counter-store.ts";
import { hasRedis, RedisServer } from "../fixtures/redis-server.ts";
import { freshPrefix, openReplica, type SharedReplica } from "../fixtures/shared-counters.ts";
import { describeWith } from "../fixtures/test-with.ts";

const minute: CountWindow = { kind: "sliding", lengthMs: 60_000 };
/** Its steps are no whole number of milliseconds. */
const odd: CountWindow = { kind: "sliding", lengthMs: 100_007 };
const hourMs = 3_600_000;
const hour = (nowMs: number): CountWindow => {
  const startMs = Math.floor(nowMs / hourMs) * hourMs;
  return { kind: "fixed", startMs, endMs: startMs + hourMs };
};
const windows = [() => minute, () => odd, hour];

const charge = record({
  account: nat(1),
  window: nat(windows.length - 1),
  amount: oneof(nat(5), constantFrom(2 ** 51, 123_456_789_012)),
  limit: oneof(integer({ min: 1, max: 20 }), constantFrom(2 ** 52, Number.POSITIVE_INFINITY)),
  isCertain: constantFrom(false, false, true),
});
type Drawn = typeof charge extends Arbitrary<infer T> ? T : never;
const step = oneof(
  record({ kind: constantFrom("reserve" as const), charges: array(charge, { minLength: 1, maxLength: 3 }) }),
  record({ kind: constantFrom("settle" as const), which: nat(), actual: nat(9) }),
  record({ kind: constantFrom("wait" as const), ms: oneof(nat(1_000), nat(20_000), nat(4_000_000)) }),
  record({ kind: constantFrom("book" as const), charge, agoMs: nat(90_000) }),
  record({ kind: constantFrom("read" as const), charge }),
);

describeWith("redis", hasRedis, "two replicas and one store in memory", () => {
  let server: RedisServer;
  const replicas: SharedReplica[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await server.stop();
  });

  test("answer any sequence alike, whichever replica is asked", async () => {
    await assert(
      asyncProperty(array(step, { minLength: 30, maxLength: 80 }), nat(), async (steps, seed) => {
        const prefix = freshPrefix();
        const pair = await Promise.all([openReplica(server.url, { prefix }), openReplica(server.url, { prefix })]);
        await Promise.all(pair.map((replica) => replica.until(true)));
        const twin = new MemoryCounterStore();
        const open: [shared: Reservation, twin: Reservation][] = [];
        let nowMs = 1_700_000_000_000 + (seed % hourMs);
        const chargeOf = ({ account, window, amount, limit, isCertain }: Drawn): Charge => ({
          account: `${account}-${window}`,
          window: (windows[window] ?? hour)(nowMs),
          amount,
          limit,
          certain: isCertain,
        });
        for (const [i, one] of steps.entries()) {
          const { store } = pair[(seed + i * 7) % 3 === 0 ? 0 : 1]!;
          if (one.kind === "wait") nowMs += one.ms;
          else if (one.kind === "reserve") {
            const charges = one.charges.map(chargeOf);
            const [shared, alone] = [await store.reserve(charges, nowMs), twin.reserve(charges, nowMs)];
            expect(shared).toEqual(alone);
            if (shared.ok && alone.ok) open.push([shared.reservation, alone.reservation]);
          } else if (one.kind === "settle" && open.length > 0) {
            const [[shared, alone]] = open.splice(one.which % open.length, 1) as [(typeof open)[0]];
            const actuals = shared.charges.map(() => one.actual);
            expect(await store.settle(shared, actuals)).toEqual(twin.settle(alone, actuals));
          } else if (one.kind === "book") {
            const { account, window, amount } = chargeOf(one.charge);
            store.book(account, window, amount, nowMs - one.agoMs);
            twin.book(account, window, amount, nowMs - one.agoMs);
            expect(await store.read(account, window, nowMs)).toEqual(twin.read(account, window, nowMs));
          } else if (one.kind === "read") {
            const { account, window } = chargeOf(one.charge);
            expect(await store.read(account, window, nowMs)).toEqual(twin.read(account, window, nowMs));
          }
        }
        await Promise.all(pair.map((replica) => replica.close()));
      }),
      { seed: 7, numRuns: 150 },
    );
  }, 60_000);
});
