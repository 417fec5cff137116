import { expect, test } from "bun:test";
import { deployment } from "../../test/fixtures/deployments.ts";
import { features } from "../../test/fixtures/features.ts";
import { gateway, hello, helloStream } from "../../test/fixtures/memory-gateway.ts";
import { answer, completion, forever, frames, type Piece, stream } from "../../test/fixtures/scripted-transport.ts";
import { exclusionReason } from "../routing/exclusion-reason.ts";

function rig(...pieces: Piece[]) {
  const test = gateway({ local: [stream(...pieces)] });
  return { ...test, state: () => test.live.deployment(test.local) };
}

/** A promise that resolves when the gateway's clock has moved so far. */
function pause(ms: number): {
  promise: Promise<void>;
  on: (clock: { after(ms: number, fire: () => void): unknown }) => void;
} {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { promise, on: (clock) => void clock.after(ms, resolve) };
}

test("a stream teaches its time to the first content, its speed and its end", async () => {
  const [toFirst, toEnd] = [pause(300), pause(700)];
  const { ask, clock, state } = rig(
    frames.role,
    toFirst.promise,
    frames.text("a"),
    toEnd.promise,
    frames.text("b"),
    frames.finish,
    frames.usage,
    frames.done,
  );
  toFirst.on(clock);
  toEnd.on(clock);
  const asked = ask(helloStream);
  await clock.advance(300);
  const reply = await asked;
  expect(state().latency.ttftMs).toBeCloseTo(300);
  expect([state().inFlight, state().ttft.inFlight]).toEqual([1, 1]);
  const text = new Response(reply.response.body).text();
  await clock.advance(400);
  await text;
  expect(state().latency.endToEndMs).toBeCloseTo(700);
  // Four tokens, three of them after the first, in 400 ms.
  expect(state().latency.tokensPerSecond).toBeCloseTo(7.5);
  expect([state().inFlight, state().ttft.inFlight]).toEqual([0, 0]);
});

test("a whole answer teaches its end only: nobody saw its first token", async () => {
  const { ask, live, local } = gateway({ local: [completion("hi")] });
  await (await ask(hello)).settled;
  const { latency, ttft, inFlight } = live.deployment(local);
  expect(latency.endToEndMs).toBeDefined();
  expect([latency.ttftMs, ttft.predict(10, { nowMs: 0, slots: 1, others: 0, inTurn: true }), inFlight]).toEqual([
    undefined,
    undefined,
    0,
  ]);
});

test("a client that leaves blames nobody; its work is over all the same", async () => {
  const { ask, state } = rig(frames.role, frames.text("a"), forever);
  const reply = await ask(helloStream);
  await reply.response.body?.cancel();
  await reply.settled;
  expect([state().inFlight, state().ttft.inFlight, state().latency.errorRate(1_000_000)]).toEqual([0, 0, 0]);
  expect(state().latency.endToEndMs).toBeUndefined();
});

test("an upstream's fault counts as an error, a client's does not", async () => {
  for (const [status, rate] of [
    [500, 0.5],
    [400, 0],
  ] as const) {
    const { ask, live, local, clock } = gateway(
      { local: [answer(status, { error: { message: "no" } })] },
      {
        limits: {
          maxAttempts: 1,
          retriesPerTarget: 0,
          backoffMs: 0,
          maxRetryAfterMs: 0,
          retryBudget: { share: 0.2, minPerSecond: 3 },
          hedge: undefined,
          onRefusal: "answer",
          afterCut: "error",
        },
      },
    );
    await (await ask(hello)).settled;
    const state = live.deployment(local);
    expect([state.latency.errorRate(clock.monotonicMs()), state.inFlight]).toEqual([rate, 0]);
  }
});

test("a model that is being loaded is left out for a while, and nothing else of its server", async () => {
  const loading = answer(503, { error: { message: "Loading model", type: "unavailable_error", code: 503 } });
  const it = gateway({ local: [loading] });
  const neighbour = deployment(it.local.upstream, "neighbour");
  const reply = await it.ask(hello);
  expect(reply.response.headers.get("x-router-fallback")).toBe("local/small;model_loading");
  const nowMs = it.clock.monotonicMs();
  const reason = (target: typeof neighbour, atMs: number) =>
    exclusionReason(target, new Set(), features(), it.live, atMs);
  expect([reason(it.local, nowMs), reason(neighbour, nowMs)]).toEqual(["local_cold", undefined]);
  expect(reason(it.local, nowMs + 60_000)).toBeUndefined();
  expect(it.live.demand(it.local, nowMs)).toBe(1);
});

test("a request that finds its model full counts once in demand, however often it asks", async () => {
  const busy = answer(503, { error: { message: "busy", type: "overloaded_error" } }, { "retry-after-ms": "10" });
  const it = gateway({ local: [busy, busy] });
  const pending = it.ask(hello, { "x-router-data": "local-only" });
  await it.clock.advance(5_000);
  await pending;
  expect(it.transport.sent).toHaveLength(2);
  expect(it.live.demand(it.local, it.clock.monotonicMs())).toBe(1);
});
