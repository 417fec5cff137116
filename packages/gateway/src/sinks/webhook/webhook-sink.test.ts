import { afterEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import type { BudgetNotice } from "../../core/budget.ts";
import { GatewayError } from "../../core/errors.ts";
import { fromDollars } from "../../core/money.ts";
import { type Clock, type EpochMs, systemClock } from "../../lib/clock.ts";
import { Secret } from "../../lib/secret.ts";
import { type WebhookReceiver, WebhookSink } from "./webhook-sink.ts";

const key = "a-secret-of-the-receiver";

interface Received {
  readonly headers: Headers;
  readonly body: string;
}

/** A receiver that answers what it is told, and remembers what came. */
class Receiver {
  readonly received: Received[] = [];
  answer: (count: number) => Response | Promise<Response> = () => new Response(null, { status: 204 });
  #waiting: (() => void)[] = [];
  readonly server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      this.received.push({ headers: request.headers, body: await request.text() });
      for (const wake of this.#waiting.splice(0)) wake();
      return this.answer(this.received.length);
    },
  });

  get url(): string {
    return `http://127.0.0.1:${this.server.port}/hook?token=never-shown`;
  }

  async until(count: number): Promise<void> {
    while (this.received.length < count) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

const open: Receiver[] = [];
const hanging: (() => void)[] = [];
afterEach(async () => {
  for (const release of hanging.splice(0)) release();
  for (const { server } of open.splice(0)) await server.stop(true);
});

function receiver(): Receiver {
  const made = new Receiver();
  open.push(made);
  return made;
}

/** A clock whose pauses are over at once; time limits pass only when told. */
class HastyClock implements Clock {
  nowMs = 1_000_000;
  readonly pausesMs: number[] = [];
  readonly #limits = new Set<() => void>();

  now(): EpochMs {
    return this.nowMs as EpochMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(ms: number, fire: () => void): () => void {
    if (ms === 10_000 || ms === 5_000) {
      this.#limits.add(fire);
      return () => this.#limits.delete(fire);
    }
    this.pausesMs.push(ms);
    const soon = setImmediate(fire);
    return () => clearImmediate(soon);
  }

  get limits(): number {
    return this.#limits.size;
  }

  expireLimits(): void {
    for (const fire of [...this.#limits]) fire();
  }
}

function sinkFor(url: string, more: Partial<WebhookReceiver> = {}, clock: Clock = new HastyClock()) {
  const warnings: string[] = [];
  let ids = 0;
  const randomness = { id: () => `delivery-${++ids}`, fraction: () => 0.5 };
  const sink = new WebhookSink(
    { url, secret: new Secret(key), events: ["budget"], ...more },
    { clock, randomness, warn: (text) => warnings.push(text) },
  );
  return { sink, warnings };
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

const notice = (threshold: number): BudgetNotice => ({
  budget: {
    id: "b1",
    name: "cloud",
    scope: { kind: "provider", value: "acme" },
    limit: fromDollars(50),
    window: { kind: "calendar", unit: "day", timeZone: "UTC" },
    hard: true,
    onExhausted: "self_hosted",
    notifyAt: [0.5, 0.8, 1],
    source: "config",
  },
  threshold,
  spent: fromDollars(40.5),
  windowStartMs: Date.parse("2026-11-21T00:00:00Z"),
  at: Date.parse("2026-11-21T02:37:48Z"),
});

test("a notice arrives as signed JSON that a receiver can verify", async () => {
  const hook = receiver();
  const { sink } = sinkFor(hook.url, {}, systemClock);
  sink.budgetReached(notice(0.8));
  await hook.until(1);
  await sink.close();
  const { headers, body } = hook.received[0]!;
  const timestamp = headers.get("x-fairlead-timestamp") ?? "";
  expect(Math.abs(Number(timestamp) - systemClock.now() / 1000)).toBeLessThan(60);
  const expected = `v1=${createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex")}`;
  expect(headers.get("x-fairlead-signature")).toBe(expected);
  expect(headers.get("x-fairlead-event")).toBe("budget.reached");
  expect(headers.get("x-fairlead-delivery")).toBe("delivery-1");
  expect(headers.get("content-type")).toBe("application/json");
  expect(JSON.parse(body)).toEqual({
    id: "delivery-1",
    type: "budget.reached",
    at: "2026-11-21T02:37:48.000Z",
    threshold: 0.8,
    spentUsd: 40.5,
    budget: {
      id: "b1",
      name: "cloud",
      scope: { provider: "acme" },
      limitUsd: 50,
      hard: true,
      onExhausted: "self_hosted",
      window: "day",
      timeZone: "UTC",
    },
    windowStart: "2026-11-21T00:00:00.000Z",
  });
});

test("only what the receiver subscribed to is sent, and the same alert once a minute", async () => {
  const hook = receiver();
  const clock = new HastyClock();
  const { sink } = sinkFor(hook.url, { events: ["alert"] }, clock);
  sink.budgetReached(notice(1));
  const refused = new GatewayError("upstream_auth", "The upstream refuses the key.", {
    target: "a/b",
    upstreamStatus: 401,
  });
  sink.operatorAlert(refused, "ex-1");
  sink.operatorAlert(refused, "ex-2");
  await hook.until(1);
  clock.nowMs += 60_000;
  sink.operatorAlert(refused, "ex-3");
  await hook.until(2);
  await sink.close();
  const alerts = hook.received.map(({ body }) => JSON.parse(body));
  expect(alerts.map(({ exchangeId }) => exchangeId)).toEqual(["ex-1", "ex-3"]);
  expect(alerts[0]).toMatchObject({
    type: "operator.alert",
    code: "upstream_auth",
    target: "a/b",
    upstreamStatus: 401,
  });
});

test("a receiver that fails is tried again with growing pauses, and gets every event in order", async () => {
  const hook = receiver();
  hook.answer = (count) => new Response(null, { status: count <= 3 ? 503 : 200 });
  const clock = new HastyClock();
  const { sink, warnings } = sinkFor(hook.url, {}, clock);
  sink.budgetReached(notice(0.5));
  sink.budgetReached(notice(0.8));
  await hook.until(5);
  await sink.close();
  const ids = hook.received.map(({ headers }) => headers.get("x-fairlead-delivery"));
  expect(ids).toEqual(["delivery-1", "delivery-1", "delivery-1", "delivery-1", "delivery-2"]);
  // Three quarters of 1, 2 and 4 seconds.
  expect(clock.pausesMs).toEqual([750, 1_500, 3_000]);
  expect([sink.dropped, warnings]).toEqual([0, []]);
});

test("an event that stays unwanted is dropped and told once; redirects are not followed", async () => {
  const hook = receiver();
  const elsewhere = receiver();
  hook.answer = (count) => (count === 1 ? new Response(null, { status: 400 }) : Response.redirect(elsewhere.url, 307));
  const { sink, warnings } = sinkFor(hook.url);
  sink.budgetReached(notice(0.5));
  sink.budgetReached(notice(0.8));
  await hook.until(2);
  await sink.close();
  expect(sink.dropped).toBe(2);
  expect(warnings).toEqual([`Events for the webhook at 127.0.0.1:${hook.server.port} are lost: it refuses events.`]);
  expect(elsewhere.received).toEqual([]);
});

test("a receiver that is down is given up after six tries, and heard of again when it lost once more", async () => {
  const hook = receiver();
  const { url } = hook;
  hook.answer = () => new Response(null, { status: 500 });
  const { sink, warnings } = sinkFor(url);
  sink.budgetReached(notice(0.5));
  await until(() => sink.dropped === 1);
  expect(hook.received.length).toBe(6);
  hook.answer = () => new Response(null);
  sink.budgetReached(notice(0.8));
  await hook.until(7);
  hook.answer = () => new Response(null, { status: 404 });
  sink.budgetReached(notice(1));
  await until(() => sink.dropped === 2);
  await sink.close();
  expect(warnings.length).toBe(2);
  expect(warnings[0]).toContain("did not take an event in 6 tries");
});

test("a receiver that never answers blocks nobody, fills a bounded queue, and is left when the process ends", async () => {
  const hook = receiver();
  hook.answer = () => new Promise<Response>((resolve) => hanging.push(() => resolve(new Response(null))));
  const clock = new HastyClock();
  const { sink, warnings } = sinkFor(hook.url, {}, clock);
  for (let i = 0; i < 300; i++) sink.budgetReached(notice(0.5));
  expect(sink.dropped).toBe(44);
  expect(warnings).toEqual([`Events for the webhook at 127.0.0.1:${hook.server.port} are lost: its queue is full.`]);
  await hook.until(1);
  const closed = sink.close();
  clock.expireLimits();
  await closed;
  expect(sink.dropped).toBe(300);
  expect(clock.limits).toBe(0);
});

test("an answer must come within ten seconds, or the event is sent again", async () => {
  const hook = receiver();
  hook.answer = (count) =>
    count === 1
      ? new Promise<Response>((resolve) => hanging.push(() => resolve(new Response(null))))
      : new Response(null);
  const clock = new HastyClock();
  const { sink } = sinkFor(hook.url, {}, clock);
  sink.budgetReached(notice(1));
  await hook.until(1);
  clock.expireLimits();
  await hook.until(2);
  await sink.close();
  expect(sink.dropped).toBe(0);
  expect(hook.received.map(({ headers }) => headers.get("x-fairlead-delivery"))).toEqual(["delivery-1", "delivery-1"]);
});

test("closing sends what is queued, cutting pauses short", async () => {
  const hook = receiver();
  hook.answer = (count) => new Response(null, { status: count === 1 ? 503 : 200 });
  const { sink } = sinkFor(hook.url);
  sink.budgetReached(notice(0.5));
  sink.budgetReached(notice(0.8));
  await hook.until(1);
  await sink.close();
  expect(hook.received.length).toBe(3);
  expect(sink.dropped).toBe(0);
  sink.budgetReached(notice(1));
  expect(sink.dropped).toBe(1);
});

test("nothing is sent after the time to close is up, also when it is up in a pause", async () => {
  const hook = receiver();
  hook.answer = () => new Response(null, { status: 503 });
  const pauses: (() => void)[] = [];
  const limits: (() => void)[] = [];
  const clock: Clock = {
    now: () => 1_000_000 as EpochMs,
    monotonicMs: () => 0,
    after(ms, fire) {
      if (ms === 5_000) limits.push(fire);
      else if (ms < 1_000) pauses.push(fire);
      return () => {};
    },
  };
  const { sink } = sinkFor(hook.url, {}, clock);
  sink.budgetReached(notice(1));
  const closed = sink.close();
  await until(() => pauses.length === 1);
  for (const fire of limits) fire();
  await closed;
  expect(hook.received.length).toBe(1);
  expect(sink.dropped).toBe(1);
});
