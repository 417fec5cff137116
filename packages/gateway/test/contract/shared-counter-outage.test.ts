import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { array, assert, asyncProperty, constantFrom, nat, oneof, record } from "fast-check";
import type { Charge, Reservation, Reserved } from "../../src/ledger/counter-store.ts";
import { FakeClock } from "../fixtures/fake-clock.ts";
import { hasRedis, RedisServer } from "../fixtures/redis-server.ts";
import { freshPrefix, openReplica, type SharedReplica } from "../fixtures/shared-counters.ts";
import { StallingConnection } from "../fixtures/stalling-connection.ts";
import { describeWith } from "../fixtures/test-with.ts";

const day = { kind: "fixed", startMs: 0, endMs: 86_400_000 } as const;
const timeoutMs = 100;

const charge = (amount: number, limit = 1_000, account = "a"): Charge => ({ account, window: day, amount, limit });
const certain = (limit = 1_000): Charge => ({ ...charge(1, limit, "requests"), certain: true });

interface Stalled extends SharedReplica {
  readonly line: StallingConnection;
  readonly clock: FakeClock;
  reserve(...charges: Charge[]): Promise<Reservation>;
  /** Time enough for whatever waits to be given up. */
  giveUp(): Promise<void>;
  /** The connection is well; waits until the store is up. */
  recover(): Promise<void>;
}

const given = (reserved: Reserved): Reservation => {
  if (!reserved.ok) throw new Error(`refused: ${JSON.stringify(reserved.refusal)}`);
  return reserved.reservation;
};

async function openStalled(url: string, prefix: string): Promise<Stalled> {
  const clock = new FakeClock();
  let line: StallingConnection | undefined;
  const wrap = (real: ConstructorParameters<typeof StallingConnection>[0]): StallingConnection => {
    line = new StallingConnection(real);
    return line;
  };
  const replica = await openReplica(url, { prefix, clock, timeoutMs, wrap });
  await replica.until(true);
  if (line === undefined) throw new Error("no connection");
  const stalling = line;
  return {
    ...replica,
    line: stalling,
    clock,
    reserve: async (...charges) => given(await replica.store.reserve(charges, clock.now())),
    giveUp: () => clock.advance(timeoutMs + 10),
    async recover() {
      stalling.pass();
      const up = replica.until(true);
      await clock.advance(2_500);
      await up;
    },
  };
}

describeWith("redis", hasRedis, "counters on a Redis that is slow or lost", () => {
  let server: RedisServer;
  let prefix = "";
  let one: Stalled;
  let other: Stalled;
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    prefix = freshPrefix();
    [one, other] = await Promise.all([openStalled(server.url, prefix), openStalled(server.url, prefix)]);
    await learn();
  });
  afterEach(async () => {
    one.line.release();
    other.line.release();
    await Promise.all([one.close(), other.close()]);
  });

  /** Both ask how many they are and what is left. */
  async function learn(): Promise<void> {
    for (const { clock, store } of [one, other]) {
      await clock.advance(500);
      await store.read("a", day, 1);
    }
  }
  const inStore = (account = "a") => other.store.read(account, day, 1);

  test("a reservation whose answer is late is held once, and settled once", async () => {
    one.line.holdAnswers();
    const asked = one.reserve(charge(30), certain());
    await one.giveUp();
    const reservation = await asked;
    one.line.release();
    await one.recover();
    expect(await inStore()).toEqual({ settled: 0, held: 30 });
    expect(await inStore("requests")).toEqual({ settled: 1, held: 0 });
    await one.store.settle(reservation, [12, 0]);
    expect(await inStore()).toEqual({ settled: 12, held: 0 });
    expect(one.store.size).toBe(0);
  });

  test("a reservation that the server gets only later is not made a second time", async () => {
    one.line.holdCommands();
    const asked = one.reserve(charge(30), certain());
    await one.giveUp();
    const reservation = await asked;
    await one.recover();
    one.line.release();
    expect(await one.store.read("a", day, 1)).toEqual({ settled: 0, held: 30 });
    expect(await inStore("requests")).toEqual({ settled: 1, held: 0 });
    await one.store.settle(reservation, [12, 0]);
    expect(await inStore()).toEqual({ settled: 12, held: 0 });
  });

  describe.each([
    ["was done", (line: StallingConnection, after = 0) => line.holdAnswers(after)],
    ["was not done", (line: StallingConnection, after = 0) => line.holdCommands(after)],
  ])("when the connection is lost and a command %s", (_, hold) => {
    test("a settlement counts once", async () => {
      const reservation = await one.reserve(charge(30));
      hold(one.line);
      const settled = one.store.settle(reservation, [20]);
      // A round trip of the other's: what was sent has arrived.
      await inStore();
      one.line.lose();
      expect(await settled).toEqual([{ settled: 20, held: 0 }]);
      await one.recover();
      expect(await inStore()).toEqual({ settled: 20, held: 0 });
    });

    test("a reservation that was refused here holds nothing there", async () => {
      await other.reserve(charge(960));
      await learn();
      hold(one.line);
      // There is room for it, but not in half of what is left.
      const asked = one.store.reserve([charge(30), certain()], 1);
      await inStore();
      one.line.lose();
      expect(await asked).toMatchObject({ ok: false });
      await one.recover();
      expect(await inStore()).toEqual({ settled: 0, held: 960 });
      expect(await inStore("requests")).toEqual({ settled: 0, held: 0 });
    });

    test("what is told at the return counts once, though its answer is lost too", async () => {
      one.line.lose();
      one.line.holdCommands();
      const reservation = await one.reserve(charge(30), certain());
      one.store.settle(reservation, [20, 0]);
      await one.reserve(charge(7));
      one.line.pass();
      for (let commands = 0; commands < 4; commands++) {
        hold(one.line, commands);
        await one.clock.advance(300);
        // Each command of the return goes out when the one before was answered.
        for (let i = 0; i <= commands; i++) await inStore();
        one.line.lose();
      }
      await one.recover();
      expect(await inStore()).toEqual({ settled: 20, held: 7 });
      expect(await inStore("requests")).toEqual({ settled: 1, held: 0 });
    });
  });

  test("reservations of before an outage are settled in it, and those of the outage after it", async () => {
    const before = await one.reserve(charge(30));
    one.line.holdCommands();
    await one.clock.advance(700);
    expect(one.store.isUp).toBe(false);
    const during = await one.reserve(charge(40));
    expect(one.store.settle(before, [10])).toEqual([{ settled: 10, held: 40 }]);
    await one.recover();
    expect(await inStore()).toEqual({ settled: 10, held: 40 });
    await one.store.settle(during, [5]);
    expect(await inStore()).toEqual({ settled: 15, held: 0 });
  });

  test("while it is away nothing waits: answers come at once", async () => {
    one.line.holdCommands();
    const asked = one.store.reserve([charge(1)], 1);
    expect(asked).toBeInstanceOf(Promise);
    await one.giveUp();
    await asked;
    for (let i = 0; i < 100; i++) {
      const reserved = one.store.reserve([charge(1)], 1);
      expect(reserved).not.toBeInstanceOf(Promise);
    }
    expect(one.store.read("a", day, 1)).not.toBeInstanceOf(Promise);
    expect(one.told).toEqual(["up", "away"]);
  });

  test("each replica uses its part of what was left, and together they use it up", async () => {
    await one.reserve(charge(10, 25));
    await other.reserve(charge(4, 25));
    await learn();
    one.line.holdCommands();
    other.line.holdCommands();
    await Promise.all([one.clock.advance(700), other.clock.advance(700)]);
    let passed = 0;
    for (let i = 0; i < 40; i++) {
      for (const { store } of [one, other]) {
        const reserved = await store.reserve([charge(1, 25)], 1);
        if (reserved.ok) passed++;
      }
    }
    expect(passed).toBe(11);
    await Promise.all([one.recover(), other.recover()]);
    expect(await inStore()).toEqual({ settled: 0, held: 25 });
    // What is given back may be used by either.
    expect(await one.store.reserve([charge(1, 25)], 1)).toMatchObject({ ok: false });
  });

  test("a second outage begins with what was left then, not with what was used in the first", async () => {
    for (let outage = 0; outage < 2; outage++) {
      one.line.holdCommands();
      await one.clock.advance(700);
      const room: boolean[] = [];
      for (let i = 0; i < 12; i++) room.push((await one.store.reserve([{ ...charge(1, 20), certain: true }], 1)).ok);
      // Half of twenty; then half of the ten that this leaves.
      expect(room.filter(Boolean).length).toBe(outage === 0 ? 10 : 5);
      await one.recover();
    }
    expect(await inStore()).toEqual({ settled: 15, held: 0 });
  });

  test("what a dead replica holds is dropped; one that was only paused holds it again, and settles it", async () => {
    const reservation = await one.reserve(charge(30));
    await other.connection.command("ZADD", `{${prefix}}:live`, 1, ...(await nameOf(one)));
    await learnDeath();
    expect(await inStore()).toEqual({ settled: 0, held: 0 });
    await other.reserve(charge(5));
    // Its next operation finds that it was taken for dead.
    const second = await one.reserve(charge(2));
    await one.recover();
    expect(await inStore()).toEqual({ settled: 0, held: 37 });
    await one.store.settle(reservation, [20]);
    await one.store.settle(second, [1]);
    expect(await inStore()).toEqual({ settled: 21, held: 5 });
  });

  test("one that leaves takes what it holds with it", async () => {
    await one.reserve(charge(30));
    await one.store.stop();
    expect(await inStore()).toEqual({ settled: 0, held: 0 });
  });

  test("nothing stays for ever: every key has an end", async () => {
    const minute = { kind: "sliding", lengthMs: 60_000 } as const;
    const reservation = await one.reserve(charge(30), { ...charge(1), window: minute, account: "m" }, certain());
    await one.store.claim("a", day, "ledger");
    one.store.booked("a", "ledger");
    await one.store.settle(reservation, [1, 1, 1]);
    await one.reserve(charge(3));
    await learn();
    const keys = (await one.connection.command("KEYS", `{${prefix}}:*`)) as string[];
    expect(keys.length).toBeGreaterThan(6);
    for (const key of keys) expect([key, Number(await one.connection.command("PTTL", key)) > 0]).toEqual([key, true]);
  });

  describe("who books what was spent before", () => {
    const claim = ({ store }: Stalled, ledger: string) => store.claim("budget", day, ledger);

    test("one replica of one ledger does, and the others wait until it is done", async () => {
      expect(await claim(one, "ledger")).toBe("begin");
      expect(await claim(other, "ledger")).toBe("wait");
      one.store.book("budget", day, 50, 1);
      one.store.booked("budget", "ledger");
      await one.store.read("budget", day, 1);
      expect(await claim(other, "ledger")).toBe("booked");
    });

    test("each ledger brings its own part", async () => {
      expect(await claim(one, "first")).toBe("begin");
      expect(await claim(other, "second")).toBe("book");
    });

    test("a budget that comes back after all had let it go begins anew", async () => {
      await claim(one, "ledger");
      one.store.book("budget", day, 50, 1);
      one.store.booked("budget", "ledger");
      await one.store.read("budget", day, 1);
      await claim(other, "ledger");
      one.store.unclaim("budget");
      await one.store.read("budget", day, 1);
      // The other one still counts it.
      expect(await claim(one, "ledger")).toBe("booked");
      one.store.unclaim("budget");
      other.store.unclaim("budget");
      await Promise.all([one, other].map(({ store }) => store.read("budget", day, 1)));
      expect(await claim(one, "ledger")).toBe("begin");
      expect(await inStore("budget")).toEqual({ settled: 0, held: 0 });
    });

    test("one that was taken for dead counts on when it is back, so nobody empties its counter", async () => {
      await claim(one, "ledger");
      one.store.book("budget", day, 50, 1);
      one.store.booked("budget", "ledger");
      await one.reserve(charge(1));
      expect(await claim(other, "ledger")).toBe("booked");
      await other.connection.command("ZREM", `{${prefix}}:live`, ...(await nameOf(one)));
      await claim(other, "ledger");
      other.store.unclaim("budget");
      one.line.lose();
      await one.recover();
      await one.store.read("budget", day, 1);
      expect(await claim(other, "ledger")).toBe("booked");
    });

    test("another takes over from one that died over it", async () => {
      expect(await claim(one, "ledger")).toBe("begin");
      await one.store.stop();
      expect(await claim(other, "ledger")).toBe("begin");
    });
  });

  async function nameOf({ store }: Stalled): Promise<string[]> {
    // The one that holds something.
    await store.read("a", day, 1);
    const keys = (await other.connection.command("KEYS", `{${prefix}}:h:*`)) as string[];
    return keys.map((key) => key.slice(`{${prefix}}:h:`.length));
  }

  async function learnDeath(): Promise<void> {
    await other.clock.advance(500);
    await other.store.read("a", day, 1);
  }

  test("however commands and answers are held up and lost, each amount counts once in the end", async () => {
    const step = oneof(
      { weight: 6, arbitrary: record({ kind: constantFrom("reserve" as const), who: nat(1), amount: nat(9) }) },
      { weight: 6, arbitrary: record({ kind: constantFrom("settle" as const), who: nat(1), amount: nat(9) }) },
      {
        weight: 4,
        arbitrary: record({
          kind: constantFrom(
            "holdCommands" as const,
            "holdAnswers" as const,
            "release" as const,
            "pass" as const,
            "lose" as const,
          ),
          who: nat(1),
          amount: nat(4),
        }),
      },
      { weight: 3, arbitrary: record({ kind: constantFrom("wait" as const), who: nat(1), amount: nat(3) }) },
    );
    await assert(
      asyncProperty(array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        const group = freshPrefix();
        const pair = await Promise.all([openStalled(server.url, group), openStalled(server.url, group)]);
        const running: { by: Stalled; asked: Promise<Reserved> }[] = [];
        let spent = 0;
        let requests = 0;
        const settleOne = async ({ by, asked }: (typeof running)[0], actual: number): Promise<void> => {
          const reserved = await asked;
          if (!reserved.ok) return;
          requests++;
          spent += actual;
          void by.store.settle(reserved.reservation, [actual, 0]);
        };
        for (const { kind, who, amount } of steps) {
          const replica = pair[who]!;
          if (kind === "reserve") {
            const asked = replica.store.reserve([charge(amount), certain()], replica.clock.now());
            running.push({ by: replica, asked: Promise.resolve(asked) });
          } else if (kind === "settle") {
            const first = running.shift();
            if (first === undefined) continue;
            await first.by.giveUp();
            await settleOne(first, amount);
          } else if (kind === "wait") await replica.clock.advance(amount * 200);
          else if (kind === "holdCommands" || kind === "holdAnswers") replica.line[kind](amount);
          else replica.line[kind]();
        }
        for (const { line, clock } of pair) {
          line.release();
          await clock.advance(timeoutMs + 10);
        }
        for (const one of running) await settleOne(one, 3);
        for (const replica of pair) await replica.recover();
        const [first] = pair as [Stalled, Stalled];
        await Promise.all(pair.map(({ store }) => store.read("a", day, 1)));
        expect(await first.store.read("a", day, 1)).toEqual({ settled: spent, held: 0 });
        expect(await first.store.read("requests", day, 1)).toEqual({ settled: requests, held: 0 });
        await Promise.all(pair.map((replica) => replica.close()));
      }),
      { seed: 11, numRuns: 100 },
    );
  }, 60_000);
});
