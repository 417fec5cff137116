import { describe, expect, test } from "bun:test";
import type { Priority } from "@fairlead/contract/resilience-schema";
import fc from "fast-check";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { GatewayError } from "../core/errors.ts";
import { Exchange } from "../core/exchange.ts";
import { OverloadGate } from "./overload-gate.ts";

interface Visitor {
  readonly name: string;
  readonly exchange: Exchange;
  state: "waiting" | "running" | "refused" | "left" | "gone";
  error: GatewayError | undefined;
}

function rig(maxConcurrent: number, max = 100, waitMs = 5_000) {
  const clock = new FakeClock();
  const gate = new OverloadGate({ maxConcurrent, queue: { max, waitMs } }, clock);
  const admitted: string[] = [];
  const come = (name: string, priority: Priority = "interactive"): Visitor => {
    const exchange = new Exchange({ id: name, dialect: "openai-chat", clock, hops: [] });
    const visitor: Visitor = { name, exchange, state: "waiting", error: undefined };
    const enters = (): void => {
      visitor.state = "running";
      admitted.push(name);
    };
    const fails = (thrown: unknown): void => {
      visitor.error = thrown as GatewayError;
      visitor.state = visitor.error.code === "overcapacity" ? "refused" : "left";
    };
    try {
      const waiting = gate.enter(exchange, priority);
      if (waiting === undefined) enters();
      else waiting.then(enters, fails);
    } catch (thrown) {
      fails(thrown);
    }
    return visitor;
  };
  const end = async (visitor: Visitor): Promise<void> => {
    visitor.state = "gone";
    visitor.exchange.callClosers();
    await settle();
  };
  const leave = async (visitor: Visitor): Promise<void> => {
    visitor.exchange.client.hangUp(new GatewayError("client_gone", "gone"));
    await settle();
  };
  return { clock, gate, admitted, come, end, leave };
}

test("lets requests in at once while there is room, and the next one as soon as one ends", async () => {
  const { gate, come, end, clock } = rig(2);
  const [a, b, c] = [come("a"), come("b"), come("c")];
  expect([a.state, b.state, c.state]).toEqual(["running", "running", "waiting"]);
  await clock.advance(40);
  await end(b);
  expect(c.state).toBe("running");
  expect(c.exchange.waitedMs).toBe(40);
  expect([gate.running, gate.waiting("interactive"), clock.waiting]).toEqual([2, 0, 0]);
});

test("interactive requests go first, each kind in its order, and a batch one gets every eighth slot", async () => {
  const { come, end, admitted } = rig(1);
  let running = come("first");
  const all = new Map<string, Visitor>();
  for (let i = 0; i < 3; i++) all.set(`b${i}`, come(`b${i}`, "batch"));
  for (let i = 0; i < 16; i++) all.set(`i${i}`, come(`i${i}`));
  for (let i = 0; i < 19; i++) {
    await end(running);
    running = all.get(admitted.at(-1) ?? "") as Visitor;
  }
  const names = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `i${from + i}`);
  expect(admitted).toEqual(["first", ...names(0, 7), "b0", ...names(7, 14), "b1", "i14", "i15", "b2"]);
});

test("a full queue refuses, and gives the place of the newest batch request to an interactive one", async () => {
  const { come, gate } = rig(1, 3);
  come("running");
  const [old, recent, waiting] = [come("old", "batch"), come("recent", "batch"), come("waiting")];
  const lateBatch = come("late", "batch");
  expect(lateBatch.error).toMatchObject({ code: "overcapacity", detail: { retryAfterMs: 1_000 } });
  const displacing = come("displacing");
  await settle();
  expect([old.state, recent.state, waiting.state, displacing.state]).toEqual([
    "waiting",
    "refused",
    "waiting",
    "waiting",
  ]);
  come("another");
  await settle();
  expect(old.state).toBe("refused");
  expect(come("too many").state).toBe("refused");
  expect(gate.refused).toEqual({ queue_full: 2, too_long: 0, timed_out: 0, displaced: 2 });
});

test("without a queue nobody waits", () => {
  const { come } = rig(1, 0);
  come("running");
  expect(come("next").state).toBe("refused");
});

test("waiting ends after its time with an error that says when to come back", async () => {
  const { come, clock, gate } = rig(1, 10, 500);
  come("running");
  const late = come("late");
  await clock.advance(499);
  expect(late.state).toBe("waiting");
  await clock.advance(2);
  expect(late.state).toBe("refused");
  expect(late.error?.message).toContain("500 ms");
  expect([gate.waiting("interactive"), gate.refused.timed_out, clock.waiting]).toEqual([0, 1, 0]);
});

test("a client that leaves gives its place up at once, and takes no slot later", async () => {
  const { come, end, leave, gate, clock } = rig(1);
  const first = come("first");
  const [gone, next] = [come("gone"), come("next")];
  await leave(gone);
  expect(gone.state).toBe("left");
  expect(gate.waiting("interactive")).toBe(1);
  await end(first);
  expect(next.state).toBe("running");
  const already = new Exchange({ id: "x", dialect: "openai-chat", clock, hops: [] });
  already.client.hangUp(new GatewayError("client_gone", "gone"));
  await expect(gate.enter(already, "interactive") as Promise<void>).rejects.toMatchObject({ code: "client_gone" });
  expect([gate.waiting("interactive"), gate.running, clock.waiting]).toEqual([0, 1, 0]);
});

describe("a wait that can be foreseen", () => {
  /** Ends what runs every 100 ms while others wait, so that the gate learns how fast it serves. */
  async function learnt() {
    const it = rig(1, 1_000, 1_000);
    let running = it.come("0");
    for (let i = 1; i <= 30; i++) {
      const next = it.come(String(i));
      await it.clock.advance(100);
      await it.end(running);
      running = next;
    }
    return { ...it, running };
  }

  test("is refused at once where it would be longer than allowed, with the time until it would not", async () => {
    const { come, gate } = await learnt();
    const states = Array.from({ length: 15 }, (_, i) => come(`more ${i}`));
    expect(states.map(({ state }) => state).lastIndexOf("waiting")).toBe(9);
    expect(gate.refused.too_long).toBe(5);
    expect(states.at(-1)?.error?.detail.retryAfterMs).toBeCloseTo(1_100, -1);
  });

  test("is tried all the same by the first in line, so that a slow time is not believed for ever", async () => {
    const { come, clock, end, running } = await learnt();
    const waiting = come("slow");
    await clock.advance(990);
    await end(running);
    expect(waiting.state).toBe("running");
    for (let i = 0; i < 50; i++) {
      const patient = come(`patient ${i}`);
      expect(patient.state).toBe("waiting");
      await clock.advance(1_100);
      expect(patient.state).toBe("refused");
    }
  });
});

test("other limits hold at once: more room lets the waiting in, less takes nobody out", async () => {
  const { gate, come, end } = rig(1);
  const first = come("first");
  const rest = [come("a"), come("b"), come("c")];
  gate.follow({ maxConcurrent: 3, queue: { max: 10, waitMs: 100 } });
  await settle();
  expect(rest.map(({ state }) => state)).toEqual(["running", "running", "waiting"]);
  gate.follow({ maxConcurrent: 1, queue: { max: 10, waitMs: 100 } });
  await end(first);
  expect(gate.running).toBe(2);
  expect(rest[2]?.state).toBe("waiting");
});

test("whatever comes, leaves and ends: never more than allowed run, nobody waits while there is room, all settle", async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant("come" as const),
      priority: fc.constantFrom("interactive" as const, "batch" as const),
    }),
    fc.record({ do: fc.constantFrom("end" as const, "leave" as const), which: fc.nat(50) }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 400 }) }),
    fc.record({ do: fc.constant("limit" as const), max: fc.integer({ min: 1, max: 6 }) }),
  );
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const { gate, come, end, leave, clock } = rig(3, 4, 1_000);
    const visitors: Visitor[] = [];
    let limit = 3;
    const inState = (state: Visitor["state"]): Visitor[] => visitors.filter((visitor) => visitor.state === state);
    for (const next of steps) {
      const before = gate.running;
      if (next.do === "come") visitors.push(come(String(visitors.length), next.priority));
      else if (next.do === "wait") await clock.advance(next.ms);
      else if (next.do === "limit") {
        limit = next.max;
        gate.follow({ maxConcurrent: limit, queue: { max: 4, waitMs: 1_000 } });
      } else {
        const some = inState(next.do === "end" ? "running" : "waiting");
        const one = some[next.which % Math.max(1, some.length)];
        if (one !== undefined) await (next.do === "end" ? end(one) : leave(one));
      }
      await settle();
      const waiting = gate.waiting("interactive") + gate.waiting("batch");
      expect(gate.running).toBe(inState("running").length);
      expect(waiting).toBe(inState("waiting").length);
      expect(gate.running).toBeLessThanOrEqual(Math.max(limit, before));
      expect(waiting).toBeLessThanOrEqual(4);
      if (gate.running < limit) expect(waiting).toBe(0);
    }
    while (inState("running").length > 0) await end(inState("running")[0] as Visitor);
    expect(inState("waiting")).toEqual([]);
    expect([gate.running, clock.waiting]).toEqual([0, 0]);
  });
  await fc.assert(property, { numRuns: 300, seed: 7 });
});
