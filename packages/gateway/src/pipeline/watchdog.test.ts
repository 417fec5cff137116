import { expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { Watchdog } from "./watchdog.ts";

const limits = { connectMs: 100, firstContentMs: 500, coldStartMs: 300_000, wholeMs: 800, idleMs: 200, totalMs: 1_000 };

function start() {
  const clock = new FakeClock();
  const expired: string[] = [];
  const doubts: number[] = [];
  const watchdog = new Watchdog(clock, limits, {
    expired: (error) => expired.push(error.code),
    doubted: () => doubts.push(clock.monotonicMs()),
  });
  return { clock, watchdog, expired, doubts };
}

test("a host that takes no connection is given up at its limit, not before", async () => {
  const { clock, expired } = start();
  await clock.advance(99);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual(["connect_timeout"]);
  expect(clock.waiting).toBe(0);
});

test("a connected host has until the first content", async () => {
  const { clock, watchdog, expired } = start();
  watchdog.connected();
  await clock.advance(499);
  expect(expired).toEqual([]);
  await clock.advance(1);
  expect(expired).toEqual(["first_content_timeout"]);
});

test("silence counts only while a read waits: a slow client is not the upstream's fault", async () => {
  const { clock, watchdog, expired } = start();
  watchdog.heard();
  watchdog.content();
  await clock.advance(600);
  expect(expired).toEqual([]);
  watchdog.listening();
  await clock.advance(199);
  expect(expired).toEqual([]);
  await clock.advance(200);
  expect(expired).toEqual(["idle_timeout"]);
});

test("pings keep an answer alive, up to the total limit", async () => {
  const { clock, watchdog, expired } = start();
  watchdog.content();
  for (let i = 0; i < 11; i++) {
    watchdog.heard();
    watchdog.listening();
    await clock.advance(95);
  }
  expect(expired).toEqual(["total_timeout"]);
});

test("a stopped watchdog leaves no timer", async () => {
  const { clock, watchdog, expired } = start();
  watchdog.stop();
  expect(clock.waiting).toBe(0);
  await clock.advance(5_000);
  expect(expired).toEqual([]);
});

test("a silent host is doubted once, at half the connect limit, and not after a sign of life", async () => {
  const silent = start();
  const startedMs = silent.clock.monotonicMs();
  await silent.clock.advance(99);
  expect(silent.doubts).toEqual([startedMs + 50]);
  const alive = start();
  alive.watchdog.heard();
  await alive.clock.advance(400);
  expect(alive.doubts).toEqual([]);
});
