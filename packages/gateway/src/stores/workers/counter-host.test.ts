import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../../test/fixtures/fake-clock.ts";
import type { Charge } from "../../ledger/counter-store.ts";
import { SharedCounterStore } from "../redis/shared-counter-store.ts";
import { CounterHost, type ScriptName } from "./counter-host.ts";
import { type CounterChannel, parentConnection } from "./parent-connection.ts";

const minute = { kind: "sliding", lengthMs: 60_000 } as const;
const day = { kind: "fixed", startMs: 0, endMs: 86_400_000 } as const;

const request = (limit: number): Charge => ({ account: "rpm", window: minute, amount: 1, limit, certain: true });
const money = (amount: number, limit: number): Charge => ({ account: "budget", window: day, amount, limit });

/** Workers of one host, whose channels answer in the same turn, or not at all while it is stalled. */
function company() {
  const clock = new FakeClock();
  const news: string[] = [];
  const host = new CounterHost(clock, (text) => news.push(text));
  let stalled: (() => void)[] | undefined;
  let failing: ScriptName | undefined;
  const open = (replica: string, emptied = (): void => {}) => {
    const lost: (() => void)[] = [];
    const ask: CounterChannel["ask"] = async (op, body) => {
      const waiting = stalled;
      if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve));
      const [name, args] = body as [string, (string | number)[]];
      if (op === "run" && name === failing) throw new Error("the connection was lost");
      return op === "run" ? host.run(name as ScriptName, args) : host.command(name, args);
    };
    const connection = parentConnection({ ask, onNews() {}, onLost: (listen) => lost.push(listen), isOpen: true });
    const store = new SharedCounterStore({ connection, prefix: "workers", replica, timeoutMs: 250, clock, emptied });
    return { store, connection, die: () => host.gone(replica) };
  };
  return {
    clock,
    host,
    news,
    open,
    fail(script: ScriptName | undefined) {
      failing = script;
    },
    stall() {
      stalled = [];
    },
    goOn() {
      const waiting = stalled ?? [];
      stalled = undefined;
      for (const go of waiting) go();
    },
  };
}

describe("counters of several workers", () => {
  test("a limit is one for all, and a refusal tells when there is room again", async () => {
    const { clock, open } = company();
    const [one, two] = [open("a").store, open("b").store];
    await settle();
    expect((await one.reserve([request(3)], clock.now())).ok).toBe(true);
    await clock.advance(10_000);
    expect((await two.reserve([request(3)], clock.now())).ok).toBe(true);
    expect((await one.reserve([request(3)], clock.now())).ok).toBe(true);
    const refused = await two.reserve([request(3)], clock.now());
    if (refused.ok) throw new Error("a fourth was let through");
    expect(refused.refusal.balance).toEqual({ settled: 3, held: 0 });
    // The first one leaves a minute after it came, with its step.
    expect(refused.refusal.retryAfterMs).toBeGreaterThan(49_000);
    expect(refused.refusal.retryAfterMs).toBeLessThanOrEqual(51_000);
    await clock.advance(refused.refusal.retryAfterMs ?? 0);
    expect((await two.reserve([request(3)], clock.now())).ok).toBe(true);
  });

  test("holds are seen by all, settled once, and freed with the worker that died", async () => {
    const { clock, open } = company();
    const [one, two] = [open("a"), open("b")];
    await settle();
    const reserved = await one.store.reserve([money(60, 100)], clock.now());
    if (!reserved.ok) throw new Error("refused");
    expect((await two.store.reserve([money(60, 100)], clock.now())).ok).toBe(false);
    expect(await one.store.settle(reserved.reservation, [20])).toEqual([{ settled: 20, held: 0 }]);
    expect((await one.store.reserve([money(80, 100)], clock.now())).ok).toBe(true);
    expect((await two.store.reserve([money(1, 100)], clock.now())).ok).toBe(false);
    one.die();
    expect(await two.store.read("budget", day, clock.now())).toEqual({ settled: 20, held: 0 });
    expect((await two.store.reserve([money(80, 100)], clock.now())).ok).toBe(true);
  });

  test("while the host hangs each goes by its slice, and every amount counts once when it is back", async () => {
    const { clock, open, stall, goOn } = company();
    const all = [open("a").store, open("b").store];
    await settle();
    await all[0]?.reserve([request(10), money(5, 1_000)], clock.now());
    await clock.advance(1_000);
    stall();
    const asked = all.flatMap((store) => Array.from({ length: 8 }, () => store.reserve([request(10)], clock.now())));
    await clock.advance(300);
    const let9 = (await Promise.all(asked)).filter(({ ok }) => ok).length;
    expect(let9).toBe(9);
    expect(all.map(({ isUp }) => isUp)).toEqual([false, false]);
    // What was sent is done after all, late: it is not counted a second time.
    goOn();
    await clock.advance(5_000);
    expect(all.map(({ isUp }) => isUp)).toEqual([true, true]);
    expect(await all[0]?.read("rpm", minute, clock.now())).toEqual({ settled: 10, held: 0 });
    expect(await all[1]?.read("budget", day, clock.now())).toEqual({ settled: 0, held: 5 });
  });

  test("a session that fails as it begins loses none of what was settled meanwhile, however much that is", async () => {
    const { clock, open, fail } = company();
    const { store } = open("a");
    await settle();
    fail("apply");
    const names = Array.from({ length: 1_200 }, (_, i) => `budget-${i}`);
    for (const name of names) store.book(name, day, 1, clock.now());
    await clock.advance(1_000);
    expect(store.isUp).toBe(false);
    fail(undefined);
    await clock.advance(5_000);
    expect(store.isUp).toBe(true);
    const settled = await Promise.all(names.map(async (name) => (await store.read(name, day, clock.now())).settled));
    expect(settled.filter((amount) => amount !== 1)).toEqual([]);
  });

  test("a store that came back empty is told of, also when the first session on it fails", async () => {
    const { clock, open, fail } = company();
    let emptied = 0;
    const { store, die } = open("a", () => emptied++);
    await settle();
    die();
    fail("sync");
    await clock.advance(2_000);
    expect(store.isUp).toBe(false);
    fail(undefined);
    await clock.advance(5_000);
    expect(store.isUp).toBe(true);
    expect(emptied).toBe(1);
  });

  test("one worker books what a ledger says was spent, and again when nobody has counted for a while", async () => {
    const { clock, open } = company();
    const [one, two] = [open("a"), open("b")];
    await settle();
    expect(await one.store.claim("budget", day, "ledger")).toBe("begin");
    expect(await two.store.claim("budget", day, "ledger")).toBe("wait");
    one.store.book("budget", day, 70, clock.now());
    one.store.booked("budget", "ledger");
    await settle();
    expect(await two.store.claim("budget", day, "ledger")).toBe("booked");
    expect(await two.store.read("budget", day, clock.now())).toEqual({ settled: 70, held: 0 });
    one.die();
    expect(await two.store.claim("budget", day, "ledger")).toBe("booked");
    two.die();
    const three = open("c");
    await settle();
    expect(await three.store.claim("budget", day, "ledger")).toBe("begin");
    expect(await three.store.read("budget", day, clock.now())).toEqual({ settled: 0, held: 0 });
  });

  test("what was booked while nobody could be told is told as soon as that is possible", async () => {
    const { clock, open, fail } = company();
    const [one, two] = [open("a"), open("b")];
    await settle();
    await one.store.claim("budget", day, "ledger");
    fail("sync");
    await clock.advance(2_000);
    expect(one.store.isUp).toBe(false);
    one.store.book("budget", day, 70, clock.now());
    one.store.booked("budget", "ledger");
    fail(undefined);
    await clock.advance(5_000);
    expect(await two.store.claim("budget", day, "ledger")).toBe("booked");
    one.die();
    expect(await two.store.claim("budget", day, "ledger")).toBe("booked");
  });

  test("one that dies while it books leaves that to another", async () => {
    const { open } = company();
    const [one, two] = [open("a"), open("b")];
    await settle();
    await one.store.claim("budget", day, "ledger");
    expect(await two.store.claim("budget", day, "ledger")).toBe("wait");
    one.die();
    expect(await two.store.claim("budget", day, "ledger")).toBe("book");
  });
});

test("a key comes first once within its time", async () => {
  const { clock, open } = company();
  const { connection } = open("a");
  const first = () => connection.command("SET", "{workers}:first:notice", "a", "NX", "PX", 1_000);
  expect(await first()).toBe("OK");
  expect(await first()).toBeNull();
  await clock.advance(1_001);
  expect(await first()).toBe("OK");
});

test("news go to whoever passes them on", async () => {
  const { open, news } = company();
  await open("a").connection.command("PUBLISH", "{workers}:news", "a breaker opened");
  expect(news).toEqual(["a breaker opened"]);
});
