import { expect, test } from "bun:test";
import { deployment, upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { LiveNews } from "./live-news.ts";
import { LiveState } from "./live-state.ts";

const limits = {
  failures: 3,
  cooldownMs: 10_000,
  halfOpenTrials: 1,
  windowMs: 60_000,
  failureRate: 1,
  minTries: 1_000,
};
const target = deployment(upstream("cloud", "cloud"), "big");

/** Replicas that hear each other; `said` are all messages. */
function replicas(count: number) {
  const clock = new FakeClock();
  const said: string[] = [];
  const all: { live: LiveState; news: LiveNews }[] = [];
  for (let i = 0; i < count; i++) {
    const live = new LiveState(limits);
    const publish = (text: string): void => {
      said.push(text);
      for (const { news } of all) news.receive(text);
    };
    all.push({ live, news: new LiveNews({ live, replica: `r${i}`, clock, deployments: () => [target], publish }) });
  }
  const fail = ({ live }: { live: LiveState }): void => {
    const nowMs = clock.monotonicMs();
    live.deployment(target).breaker.begin(nowMs)("failure", nowMs);
  };
  const state = ({ live }: { live: LiveState }) => live.deployment(target).breaker.state(clock.monotonicMs());
  return { clock, said, all: all as [(typeof all)[0], (typeof all)[0]], fail, state };
}

test("a breaker that opened leaves the others one failure, and what works there stays in use", async () => {
  const { clock, all, fail, state } = replicas(2);
  const [one, other] = all;
  for (let i = 0; i < 3; i++) fail(one);
  expect([state(one), state(other)]).toEqual(["open", "closed"]);
  await clock.advance(60);
  expect(state(other)).toBe("closed");
  fail(other);
  expect(state(other)).toBe("open");
});

test("a target that asked for rest gets it from all, and the longest rest holds", async () => {
  const { clock, all } = replicas(2);
  const [one, other] = all;
  other.live.deployment(target).coolUntilMs = clock.monotonicMs() + 9_000;
  one.live.onCooled?.(target.id, 2_000, "rate_limited");
  await clock.advance(60);
  expect(other.live.deployment(target).coolUntilMs).toBe(clock.monotonicMs() - 60 + 9_000);
  one.live.onCooled?.(target.id, 20_000, "quota_exhausted");
  await clock.advance(60);
  const { coolUntilMs, coolReason } = other.live.deployment(target);
  expect([coolUntilMs - clock.monotonicMs(), coolReason]).toEqual([20_000 - 10, "quota_exhausted"]);
});

test("a conversation is found where another replica left it, and what is learned is not told on", async () => {
  const { clock, said, all } = replicas(2);
  const [one, other] = all;
  one.live.conversations.note(77, target.id, 1_234, clock.monotonicMs());
  await clock.advance(60);
  expect(other.live.conversations.warmTokens(77, target, clock.monotonicMs())).toBe(1_234);
  await clock.advance(1_000);
  expect(said).toHaveLength(1);
});

test("news gather into one message, bounded, and a quiet replica says nothing", async () => {
  const { clock, said, all } = replicas(2);
  await clock.advance(10_000);
  expect(said).toEqual([]);
  for (let i = 1; i <= 2_000; i++) all[0].live.conversations.note(i, target.id, 1, clock.monotonicMs());
  await clock.advance(60);
  expect(said).toHaveLength(1);
  expect(JSON.parse(said[0] ?? "").turns).toHaveLength(500);
});

test("what is not understood is left out: other versions, unknown targets, nonsense, its own echo", () => {
  const { all } = replicas(1);
  const [{ live, news }] = all;
  const now = live.deployment(target).coolUntilMs;
  const cooled = [[target.id, 5_000, "rate_limited"]];
  for (const text of [
    "",
    "nonsense",
    "[]",
    "null",
    JSON.stringify({ v: 2, from: "x", cooled }),
    JSON.stringify({ v: 1, from: "r0", cooled }),
    JSON.stringify({ v: 1, from: "x", cooled: [["gone/model", 5_000, "rate_limited"]] }),
    JSON.stringify({
      v: 1,
      from: "x",
      cooled: [[target.id, -5, "rate_limited"], [target.id, 5_000, "made up"], 7, null],
    }),
    JSON.stringify({
      v: 1,
      from: "x",
      opened: "all",
      turns: [
        [1.5, target.id, 3],
        [9, target.id, "many"],
      ],
    }),
    JSON.stringify({ v: 1, from: "x", cooled, padding: "x".repeat(300_000) }),
  ]) {
    news.receive(text);
  }
  expect(live.deployment(target).coolUntilMs).toBe(now);
  expect(live.conversations.size).toBe(0);
  // Fields of later versions do no harm.
  news.receive(JSON.stringify({ v: 1, from: "x", cooled, more: 1 }));
  expect(live.deployment(target).coolUntilMs).toBeGreaterThan(now);
});

test("what an operator drains is drained everywhere, and not told on", async () => {
  const { clock, all, said } = replicas(2);
  const [one, other] = all;
  one.live.setDrained("cloud", true);
  await clock.advance(60);
  expect(other.live.isDrained("cloud")).toBe(true);
  one.live.setDrained("cloud", false);
  one.live.setDrained("nobody", true);
  await clock.advance(60);
  expect([other.live.isDrained("cloud"), other.live.isDrained("nobody")]).toEqual([false, false]);
  expect(said).toHaveLength(2);
});
