import { expect, test } from "bun:test";
import { budget } from "../../test/fixtures/admission.ts";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { fromDollars, type NanoDollars } from "../core/money.ts";
import { countWindow } from "../ledger/budget-window.ts";
import type { LedgerDatabase } from "../ledger/ledger-database.ts";
import { MemoryCounterStore } from "../stores/memory/memory-counter-store.ts";
import { BudgetBook } from "./budget-book.ts";
import { BudgetHistory, type HistoryClaims } from "./budget-history.ts";
import { BudgetWatch } from "./budget-watch.ts";

type ClaimAnswer = Awaited<ReturnType<HistoryClaims["claim"]>>;

/** A history over a ledger whose every millisecond cost one nano-dollar. */
function booking(more: { recovered?: Promise<void>; failures?: number; claims?: ClaimAnswer[] } = {}) {
  const clock = new FakeClock();
  const counters = new MemoryCounterStore();
  const asked: { fromMs: number; toMs: number }[] = [];
  const alerts: string[] = [];
  let failures = more.failures ?? 0;
  const spent: LedgerDatabase["spent"] = async (_scope, fromMs, toMs) => {
    if (failures-- > 0) throw new Error("away");
    asked.push({ fromMs, toMs });
    return [{ fromMs, cost: toMs - fromMs }];
  };
  const active = new BudgetBook([budget("day", { limit: fromDollars(1_000) })]).all;
  const told: string[] = [];
  const answers = more.claims;
  const claims = answers && {
    claim: async () => answers.shift() ?? "booked",
    booked: (account: string) => void told.push(account),
  };
  const history = new BudgetHistory({
    claims,
    reports: { spent },
    recovered: more.recovered ?? Promise.resolve(),
    flush: async () => {},
    counters,
    watch: new BudgetWatch(() => {}),
    clock,
    keyId: (id) => id,
    alert: ({ message }) => alerts.push(message),
  });
  const account = active[0]?.account ?? "";
  const settled = (): number => {
    const nowMs = clock.now();
    return counters.read(account, countWindow(budget("day").window, nowMs), nowMs).settled;
  };
  return { clock, counters, asked, alerts, active, history, settled, told };
}

test("a history ends when its budget began to count, however long earlier rows take to arrive", async () => {
  const { promise: recovered, resolve } = Promise.withResolvers<void>();
  const it = booking({ recovered });
  const beganMs = it.clock.now();
  const booked = it.history.add(it.active);
  await it.clock.advance(60_000);
  expect(it.asked).toEqual([]);
  resolve();
  await booked;
  expect(it.asked.map(({ toMs }) => toMs)).toEqual([beganMs]);
  // What was spent meanwhile is in the counters already, and in no row of the history.
  expect(it.settled()).toBe(beganMs % 86_400_000);
});

test("a database that is away is asked again until it answers, and the operator is told once", async () => {
  const it = booking({ failures: 3 });
  const booked = it.history.add(it.active);
  await it.clock.advance(10_000);
  await booked;
  expect(it.alerts).toHaveLength(1);
  expect(it.asked).toHaveLength(1);
  expect(it.settled() as NanoDollars).toBeGreaterThan(0);
});

test("a gateway that stops gives up waiting", async () => {
  const it = booking({ failures: 1_000 });
  const booked = it.history.add(it.active);
  await settle();
  it.history.stop();
  await booked;
  expect(it.clock.waiting).toBe(0);
});

test("of several replicas only the one that is told to books the history, and says when it is done", async () => {
  const first = booking({ claims: ["begin"] });
  await first.history.add(first.active);
  expect([first.asked.length, first.told]).toEqual([1, first.active.map(({ account }) => account)]);
  const later = booking({ claims: ["booked"] });
  await later.history.add(later.active);
  expect([later.asked.length, later.settled(), later.told]).toEqual([0, 0, []]);
});

test("a history that another replica is about to book, or that nobody can decide on, is asked for again, without alarm", async () => {
  const it = booking({ claims: ["away", "wait", "book"] });
  const beganMs = it.clock.now();
  const booked = it.history.add(it.active);
  await it.clock.advance(10_000);
  await booked;
  // Others counted meanwhile what was spent since it began.
  expect(it.asked.map(({ toMs }) => toMs)).toEqual([beganMs]);
  expect(it.alerts).toEqual([]);
});

test("a counter that was emptied gets everything up to then, also when the database comes later", async () => {
  const it = booking({ claims: ["away", "begin", "book"], failures: 1 });
  const beganMs = it.clock.now();
  const booked = it.history.add(it.active);
  await it.clock.advance(10_000);
  await booked;
  expect(it.asked.map(({ toMs }) => toMs)).toEqual([beganMs + 2_000]);
});
