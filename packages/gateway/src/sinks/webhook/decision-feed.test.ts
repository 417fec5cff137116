import { afterEach, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import { features } from "../../../test/fixtures/features.ts";
import { exchangeOf } from "../../../test/fixtures/ledger-rows.ts";
import { GatewayError } from "../../core/errors.ts";
import type { ExchangeRecord } from "../../core/exchange-record.ts";
import { Secret } from "../../lib/secret.ts";
import { maxWaiting } from "./decision-feed.ts";
import { type WebhookReceiver, WebhookSink } from "./webhook-sink.ts";

const key = "a-secret-of-the-receiver";

interface Batch {
  readonly headers: Headers;
  readonly text: string;
  readonly type: string;
  readonly dropped: number;
  readonly data: { readonly id: string; readonly [field: string]: unknown }[];
}

const servers: Bun.Server<undefined>[] = [];
const hanging: (() => void)[] = [];
afterEach(async () => {
  for (const release of hanging.splice(0)) release();
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A real receiver on this machine, and a sink that posts to it by a clock that the test moves. */
function feed(
  answer: (count: number) => Response | Promise<Response>,
  events: WebhookReceiver["events"] = ["decision"],
) {
  const batches: Batch[] = [];
  const waiting: (() => void)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const text = await request.text();
      batches.push({ ...JSON.parse(text), headers: request.headers, text });
      for (const wake of waiting.splice(0)) wake();
      return answer(batches.length);
    },
  });
  servers.push(server);
  const clock = new FakeClock();
  const warnings: string[] = [];
  let ids = 0;
  const sink = new WebhookSink(
    { url: `http://127.0.0.1:${server.port}/in?token=never-shown`, secret: new Secret(key), events },
    {
      clock,
      randomness: { id: () => `batch-${++ids}`, fraction: () => 0.5 },
      warn: (text) => warnings.push(text),
    },
  );
  const until = async (count: number): Promise<void> => {
    while (batches.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return { batches, clock, sink, warnings, until };
}

const ok = () => new Response(null, { status: 204 });

const decided = (id: string, change: Partial<ExchangeRecord> = {}): ExchangeRecord =>
  exchangeOf(id, 1_000, {
    routing: {
      rule: "short",
      features: features(),
      needs: [],
      wish: { localOnly: false },
      key: { name: "robot" },
      reasoning: "",
      order: ["far/large"],
      candidates: [],
      experiment: { name: "model", arm: "new", probability: 0.25 },
      control: undefined,
      spillCostUsd: undefined,
    },
    ...change,
  });

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
/** Lets time pass a little at a time, so that answers arrive long before their limits. */
async function pass(clock: FakeClock, done: () => boolean): Promise<void> {
  while (!done()) {
    await clock.advance(1);
    await settle();
  }
}
async function soon(done: () => boolean): Promise<void> {
  while (!done()) await settle();
}

test("decisions of a second come in one signed batch, in the shape of the decision API", async () => {
  const { batches, clock, sink, until } = feed(ok);
  sink.exchangeSettled(decided("one"));
  sink.exchangeSettled(decided("two", { tags: ["shadow:trial"], cost: undefined }));
  await settle();
  expect(batches).toEqual([]);
  await clock.advance(1_000);
  await until(1);
  await sink.close();
  const [{ headers, text, type, dropped, data }] = batches as [Batch];
  const timestamp = headers.get("x-fairlead-timestamp") ?? "";
  const expected = `v1=${createHmac("sha256", key).update(`${timestamp}.${text}`).digest("hex")}`;
  expect(headers.get("x-fairlead-signature")).toBe(expected);
  expect([headers.get("x-fairlead-event"), type, dropped]).toEqual(["decision.batch", "decision.batch", 0]);
  expect(data.map(({ id }) => id)).toEqual(["one", "two"]);
  expect(data[0]).toMatchObject({
    at: "1970-01-01T00:00:01.000Z",
    rule: "short",
    experiment: { name: "model", arm: "new", probability: 0.25 },
    features: { task: expect.any(String) },
    outcome: "ok",
    cost_usd: expect.any(Number),
  });
  expect(data[1]).toMatchObject({ tags: ["shadow:trial"], cost_usd: null });
  expect(clock.waiting).toBe(0);
});

test("a hundred make a batch at once, and the rest waits for its second", async () => {
  const { batches, clock, sink, until } = feed(ok);
  for (let i = 0; i < 250; i++) sink.exchangeSettled(decided(`d${i}`));
  await until(2);
  expect(batches.map(({ data }) => data.length)).toEqual([100, 100]);
  const fromMs = clock.now();
  await pass(clock, () => batches.length === 3);
  expect(clock.now() - fromMs).toBeGreaterThanOrEqual(1_000);
  expect(batches[2]?.data.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => `d${200 + i}`));
  await sink.close();
  expect([sink.dropped, clock.waiting]).toEqual([0, 0]);
});

test("a batch that the receiver failed at comes again under the same id", async () => {
  const { batches, clock, sink, warnings, until } = feed(
    (count) => new Response(null, { status: count === 1 ? 500 : 200 }),
  );
  sink.exchangeSettled(decided("one"));
  await clock.advance(1_000);
  await until(1);
  await pass(clock, () => batches.length === 2);
  await sink.close();
  expect(batches.map(({ headers }) => headers.get("x-fairlead-delivery"))).toEqual(["batch-1", "batch-1"]);
  expect([sink.dropped, warnings]).toEqual([0, []]);
});

test("where the receiver hangs the oldest are dropped, counted, told once, and in the next batch", async () => {
  let free = false;
  const { batches, sink, warnings, until } = feed(() =>
    free ? ok() : new Promise<Response>((resolve) => hanging.push(() => resolve(ok()))),
  );
  for (let i = 0; i < 100; i++) sink.exchangeSettled(decided(`first${i}`));
  await until(1);
  for (let i = 0; i < maxWaiting + 30; i++) sink.exchangeSettled(decided(`d${i}`));
  expect(sink.dropped).toBe(30);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^Events for the webhook at 127\.0\.0\.1:\d+ are lost: decisions come faster/);
  free = true;
  for (const release of hanging.splice(0)) release();
  await sink.close();
  expect(batches).toHaveLength(1 + maxWaiting / 100);
  expect(batches[1]?.dropped).toBe(30);
  expect(batches[1]?.data[0]?.id).toBe("d30");
  expect(batches.at(-1)?.data.at(-1)?.id).toBe(`d${maxWaiting + 29}`);
});

test("a batch that was refused is counted in the next one that arrives", async () => {
  const { batches, clock, sink, until } = feed((count) => new Response(null, { status: count <= 2 ? 400 : 200 }));
  for (let i = 0; i < 3; i++) {
    sink.exchangeSettled(decided(`d${i}`));
    await clock.advance(1_000);
    await until(i + 1);
    await soon(() => sink.dropped === Math.min(2, i + 1));
  }
  await sink.close();
  expect(batches.map(({ dropped }) => dropped)).toEqual([0, 1, 2]);
});

test("closing waits five seconds for a receiver that hangs, and nothing is sent or left after it", async () => {
  const { batches, clock, sink, until } = feed(
    () => new Promise<Response>((resolve) => hanging.push(() => resolve(ok()))),
  );
  for (let i = 0; i < 150; i++) sink.exchangeSettled(decided(`d${i}`));
  await until(1);
  const closed = sink.close();
  await clock.advance(5_000);
  await closed;
  expect([sink.dropped, batches.length, clock.waiting]).toEqual([150, 1, 0]);
  sink.exchangeSettled(decided("late"));
  expect([sink.dropped, clock.waiting]).toEqual([151, 0]);
});

test("decisions that cannot be delivered hold no alert up", async () => {
  const { batches, clock, sink, until } = feed(
    (count) => (count === 1 ? new Promise<Response>((resolve) => hanging.push(() => resolve(ok()))) : ok()),
    ["decision", "alert"],
  );
  sink.exchangeSettled(decided("one"));
  await clock.advance(1_000);
  await until(1);
  sink.operatorAlert(new GatewayError("upstream_auth", "The key is refused."), "ex-1");
  await until(2);
  expect(batches[1]?.type).toBe("operator.alert");
});

test("what was refused before it was decided is no decision, and receivers that did not ask get none", async () => {
  const asked = feed(ok);
  asked.sink.exchangeSettled(decided("no key", { routing: undefined }));
  const other = feed(ok, ["budget", "alert"]);
  other.sink.exchangeSettled(decided("one"));
  expect([asked.clock.waiting, other.clock.waiting]).toEqual([0, 0]);
  await Promise.all([asked.sink.close(), other.sink.close()]);
  expect([asked.batches, other.batches]).toEqual([[], []]);
});
