import { expect, test } from "bun:test";
import { budget } from "../../test/fixtures/admission.ts";
import { gateway, hello, helloStream, outcomeOf, usualLimits } from "../../test/fixtures/memory-gateway.ts";
import { completion, frames, type Script, stream } from "../../test/fixtures/scripted-transport.ts";
import { GatewayError } from "../core/errors.ts";
import type { CounterStore, Reserved } from "../ledger/counter-store.ts";
import { MemoryCounterStore } from "../stores/memory/memory-counter-store.ts";

/** Counters as a shared store has them: from the given reservation on, answers come when the test says so. */
function slowCounters(from: number) {
  const memory = new MemoryCounterStore();
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  const counters: CounterStore = {
    reserve(charges, nowMs) {
      if (++asked < from) return memory.reserve(charges, nowMs);
      return promise.then(() => memory.reserve(charges, nowMs) as Reserved);
    },
    settle: (reservation, actuals) => memory.settle(reservation, actuals),
    book: (...args) => memory.book(...args),
    read: (...args) => memory.read(...args),
  };
  return { counters, answer: resolve, asked: () => asked };
}

const rules = (counters: CounterStore) => ({ budgets: [budget("ample")], counters });
const said = (text: string): Script => stream(frames.role, frames.text(text), frames.finish, frames.usage, frames.done);
const settled = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

test("a client that leaves while a shared store is asked has no attempt, no charge and no open row", async () => {
  const slow = slowCounters(1);
  const it = gateway({ local: [said("late")] }, { commitGraceMs: 100 }, rules(slow.counters));
  const pending = it.ask(helloStream);
  await it.clock.advance(100);
  const reply = await pending;
  await reply.response.body?.cancel();
  slow.answer();
  await settled();
  const record = await outcomeOf(it, reply);
  expect([record.outcome, record.attempts.length, record.cost]).toEqual(["client_gone", 0, undefined]);
  expect([it.exchange.attempts.length, it.transport.sent.length, it.clock.waiting]).toEqual([0, 0, 0]);
});

for (const body of [hello, helloStream]) {
  test(`a hedge still being admitted when the first answers costs nothing (${body === hello ? "whole" : "stream"})`, async () => {
    const slow = slowCounters(2);
    const gate = Promise.withResolvers<void>();
    const whole: Script = async (...args) => {
      await gate.promise;
      const script = body === hello ? completion("from local") : said("from local");
      return script(...args);
    };
    const limits = { ...usualLimits, hedge: { maxShare: 1, minDelayMs: 50, delayMs: 300 } };
    const it = gateway({ local: [whole], cloud: [said("unused")] }, { limits }, rules(slow.counters));
    const pending = it.ask(body);
    await it.clock.advance(400);
    expect(slow.asked()).toBe(2);
    gate.resolve();
    const reply = await pending;
    slow.answer();
    await settled();
    expect(await reply.response.text()).toContain("from local");
    const record = await outcomeOf(it, reply);
    expect(record.attempts.map(({ target }) => target)).toEqual(["local/small"]);
    expect([it.transport.sent.length, it.exchange.attempts.length, it.clock.waiting]).toEqual([1, 1, 0]);
  });
}

test("a route's limit that passes while a shared store is asked charges nothing", async () => {
  const slow = slowCounters(1);
  const it = gateway({ local: [said("late")] }, {}, rules(slow.counters));
  const names = it.catalogue.names as Map<string, unknown>;
  const limit = { timeouts: {}, requestMs: 2_000, hedge: undefined, onRefusal: undefined, afterCut: undefined };
  names.set("local", { ...it.catalogue.names.get("local"), rules: limit });
  const pending = it.ask(hello);
  await it.clock.advance(2_000);
  slow.answer();
  const reply = await pending;
  expect(reply.response.status).toBe(504);
  const record = await outcomeOf(it, reply);
  expect([record.attempts.length, record.cost]).toEqual([0, undefined]);
});

test("a client that leaves while a continuation is admitted has no further attempt", async () => {
  const slow = slowCounters(2);
  const limits = { ...usualLimits, afterCut: "continue" } as const;
  const engines = { local: { provider: "vllm" }, cloud: { provider: "llamacpp" } };
  const cut = stream(frames.role, frames.text("a"), new Error("cut"));
  const it = gateway({ local: [cut], cloud: [said("b")] }, { limits }, rules(slow.counters), engines);
  const reply = await it.ask(helloStream);
  const reader = reply.response.body!.getReader();
  await reader.read();
  void reader.read().catch(() => {});
  await settled();
  expect(slow.asked()).toBe(2);
  it.exchange.client.hangUp(new GatewayError("client_gone", "The client closed the connection."));
  await reader.cancel();
  slow.answer();
  await settled();
  const record = await outcomeOf(it, reply);
  expect([record.outcome, record.attempts.length, it.transport.sent.length]).toEqual(["client_gone", 1, 1]);
  expect(it.exchange.attempts).toHaveLength(1);
});
