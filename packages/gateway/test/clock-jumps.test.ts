import { describe, expect, test } from "bun:test";
import { countWindow } from "../src/ledger/budget-window.ts";
import { budget, rateLimit } from "./fixtures/admission.ts";
import { settle } from "./fixtures/fake-clock.ts";
import { gateway, hello, helloStream } from "./fixtures/memory-gateway.ts";
import { completion, frames, hang, stream } from "./fixtures/scripted-transport.ts";

const dayMs = 86_400_000;
const jumps = [
  { name: "a day on", ms: dayMs },
  { name: "a day back", ms: -dayMs },
  { name: "ten years on", ms: 3_652 * dayMs },
] as const;
const day = { kind: "calendar", unit: "day", timeZone: "UTC" } as const;
/** Long after the first of all days, so that there is a day before. */
const today = 1_000 * dayMs;

/** What the budget `ample` has settled and holds in the window of this moment. */
async function standing({ deps }: ReturnType<typeof gateway>, atMs: number) {
  const { counters, budgets } = deps.admission;
  const account = budgets.all[0]?.account ?? "";
  return counters.read(account, countWindow(day, atMs), atMs);
}

describe.each(jumps)("a wall clock that is set $name", ({ ms }) => {
  test("in the middle of a stream ends nothing early, and its cost counts where it was held", async () => {
    let goOn = (): void => {};
    const waits = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const one = gateway({
      local: [
        stream(frames.role, frames.text("one "), waits, frames.text("two"), frames.finish, frames.usage, frames.done),
      ],
    });
    one.clock.jump(today);
    const startedMs = one.clock.now();
    const reply = await one.again(helloStream);
    const text = reply.response.text();
    await settle();
    one.clock.jump(ms);
    // Less than any limit.
    await one.clock.advance(1_000);
    expect(one.records).toEqual([]);
    expect((await standing(one, startedMs)).held).toBeGreaterThan(0);
    goOn();
    expect(await text).toContain("[DONE]");
    await reply.settled;
    const [record] = one.records;
    expect(record?.outcome).toBe("ok");
    expect(record?.durationMs).toBeLessThan(2_000);
    expect(await standing(one, startedMs)).toEqual({ settled: Number(record?.cost), held: 0 });
    expect(await standing(one, one.clock.now())).toEqual({ settled: 0, held: 0 });
    await one.clock.advance(10_000);
    expect(one.clock.waiting).toBe(0);
  });

  test("while an upstream is silent changes nothing about when it is given up", async () => {
    const one = gateway({ local: [hang], cloud: [completion("from cloud")] });
    one.clock.jump(today);
    const reply = one.again(hello);
    await settle();
    one.clock.jump(ms);
    await one.clock.advance(1_000);
    expect(one.transport.sent).toHaveLength(1);
    await one.clock.advance(600_000);
    expect(await (await reply).response.text()).toContain("from cloud");
    await (await reply).settled;
    expect(one.held()).toBe(0);
    expect(one.clock.waiting).toBe(0);
  });

  test("and back again finds the budget of the day as it was", async () => {
    const one = gateway({ local: [completion("hi")] }, {}, { budgets: [budget("ample")] });
    one.clock.jump(today);
    await (await one.again(hello)).settled;
    const spent = one.spent();
    expect(spent).toBeGreaterThan(0);
    one.clock.jump(ms);
    await (await one.again(hello)).settled;
    one.clock.jump(-ms);
    expect(one.spent()).toBe(spent);
  });

  test("leaves a limit of requests a minute what it was, a minute later", async () => {
    const one = gateway({ local: [completion("hi")] }, {}, { limits: [rateLimit("each", { requestsPerMinute: 1 })] });
    one.clock.jump(today);
    const status = async (): Promise<number> => {
      const reply = await one.again(hello);
      await reply.settled;
      return reply.response.status;
    };
    expect(await status()).toBe(200);
    expect(await status()).toBe(429);
    one.clock.jump(ms);
    await one.clock.advance(61_000);
    expect([await status(), await status()]).toEqual([200, 429]);
    one.clock.jump(-ms);
    await one.clock.advance(61_000);
    expect([await status(), await status()]).toEqual([200, 429]);
  });
});
