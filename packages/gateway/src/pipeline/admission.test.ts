import { describe, expect, test } from "bun:test";
import { budget, fixedPrices, flatPrice, rateLimit } from "../../test/fixtures/admission.ts";
import { gateway, hello, helloStream, outcomeOf } from "../../test/fixtures/memory-gateway.ts";
import { answer, completion, frames, refuse, stream } from "../../test/fixtures/scripted-transport.ts";
import { GatewayError } from "../core/errors.ts";
import { fromDollars } from "../core/money.ts";
import { anonymous, type Principal } from "../core/principal.ts";
import type { KeyStore } from "../keys/key-store.ts";

const cloudAsk = { ...hello, model: "cloud", max_tokens: 100 };
const autoAsk = { ...hello, model: "auto", max_tokens: 4_000 };

/** Everyone is this principal. */
const only = (principal: Partial<Principal>): KeyStore => {
  const found: Principal = { ...anonymous, kind: "virtual-key", keyId: "k1", keyName: "mine", ...principal };
  return { open: false, decided: true, anonymous: false, find: () => found };
};
const withKey = { authorization: "Bearer fl-1" };

async function errorOf(reply: { response: Response }): Promise<{ status: number; code: string; message: string }> {
  const body = (await reply.response.json()) as { error: { code: string; message: string } };
  return { status: reply.response.status, code: body.error.code, message: body.error.message };
}

describe("cost", () => {
  test("an answer tells its cost, which is the row's and the budget's", async () => {
    const it = gateway({ local: [completion("hi")] });
    const reply = await it.ask(cloudAsk);
    // 3 tokens at 10 $ and 4 at 20 $ a million.
    expect(reply.response.headers.get("x-router-cost-usd")).toBe("0.00011");
    const record = await outcomeOf(it, reply);
    expect(record.cost).toBe(110_000);
    expect(record.unpriced).toBe(false);
    expect(record.attempts[0]).toMatchObject({ priceVersion: "big 1", cost: 110_000, usageEstimated: false });
    // The reference model would have cost ten times as much.
    expect(record).toMatchObject({ referenceCost: 1_100_000, referenceVersion: "reference 1" });
  });

  test("the row keeps the usage as the upstream sent it", async () => {
    const it = gateway({ local: [completion("hi")] });
    const record = await outcomeOf(it, await it.ask(hello));
    expect(record.attempts[0]?.rawUsage).toEqual({ prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 });
  });

  test("an answer without a price has no cost, and its row says so", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { prices: fixedPrices({}) });
    const reply = await it.ask(hello);
    expect(reply.response.headers.get("x-router-cost-usd")).toBeNull();
    expect(await outcomeOf(it, reply)).toMatchObject({ cost: undefined, unpriced: true, referenceCost: undefined });
  });

  test("a cut stream is paid for by estimate, and so is the attempt that replaces it", async () => {
    const cut = stream(frames.role, frames.text("four word answer"), new Error("cut"));
    const it = gateway({ local: [cut] });
    const reply = await it.ask(helloStream);
    await reply.response.text();
    const record = await outcomeOf(it, reply);
    expect(record.outcome).toBe("interrupted");
    expect(record.usageEstimated).toBe(true);
    // 16 characters are 4 tokens at 2 $; the prompt is estimated at 6 tokens at 1 $ a million.
    expect(record.usage).toMatchObject({ inputTokens: 6, outputTokens: 4 });
    expect(record.cost).toBe(6 * 1_000 + 4 * 2_000);
  });

  test("a refused attempt is free; the one that served is paid", async () => {
    const it = gateway({ local: [refuse], cloud: [completion("from cloud")] });
    const record = await outcomeOf(it, await it.ask(hello));
    expect(record.attempts.map(({ cost }) => cost)).toEqual([undefined, 110_000]);
    expect(record.cost).toBe(110_000);
    expect(record.unpriced).toBe(false);
  });

  test("an upstream's error answer costs nothing", async () => {
    const it = gateway({ local: [answer(400, { error: { message: "no" } })] });
    const record = await outcomeOf(it, await it.ask(hello));
    expect(record.cost).toBeUndefined();
    expect(record.usage.inputTokens).toBe(0);
  });
});

describe("a ledger that refuses", () => {
  test("before the second attempt leaves the first one paid once, and nothing held", async () => {
    // The first upstream's answer is cut, which costs an estimate; the fallback may not begin.
    const cut = stream(frames.role, new Error("cut"));
    const it = gateway({ local: [cut], cloud: [completion("from cloud")] });
    const { ledger } = it.deps.accounts;
    const begin = ledger.begin.bind(ledger);
    let begun = 0;
    ledger.begin = (entry) => {
      if (begun++ > 0) throw new GatewayError("ledger_unavailable", "full");
      begin(entry);
    };
    const reply = await it.ask(helloStream);
    expect(reply.response.status).toBe(503);
    expect((await outcomeOf(it, reply)).cost).toBe(6_000);
  });
});

describe("budgets", () => {
  const spentUp = { limit: fromDollars(0.0005), notifyAt: [0.5, 0.8, 1] };

  test("a cloud model asked by name gets 402 when the budget has no room, and nothing is sent", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [budget("day", spentUp)] });
    const error = await errorOf(await it.ask(cloudAsk));
    expect(error).toMatchObject({ status: 402, code: "budget_exhausted" });
    expect(error.message).toContain("`day` of 0.0005 $");
    expect(error.message).toContain("1970-01-02T00:00:00.000Z");
    expect(it.transport.sent).toEqual([]);
    expect(it.notices.map(({ threshold }) => threshold)).toEqual([1]);
  });

  test("`auto` stays on self-hosted models instead, and says why", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [budget("day", spentUp)] });
    const reply = await it.ask(autoAsk);
    expect(reply.response.status).toBe(200);
    expect(reply.response.headers.get("x-router-backend")).toBe("local");
    expect(reply.response.headers.get("x-router-reason")).toBe("budget_exhausted");
    expect(reply.response.headers.get("x-router-fallback")).toBe("cloud/big;budget_exhausted");
    const record = await outcomeOf(it, reply);
    expect(record.exclusions).toContainEqual({ target: "cloud/big", reason: "budget_exhausted" });
  });

  test("a request that wants cloud models only gets 402, not another placement", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [budget("day", spentUp)] });
    const reply = await it.ask(autoAsk, { "x-router-strategy": "cloud_only" });
    expect(await errorOf(reply)).toMatchObject({ status: 402 });
    expect(it.transport.sent).toEqual([]);
  });

  test("one that refuses does not fall to self-hosted models", async () => {
    const it = gateway(
      { local: [completion("hi")] },
      {},
      { budgets: [budget("day", { ...spentUp, onExhausted: "refuse" })] },
    );
    expect(await errorOf(await it.ask(autoAsk))).toMatchObject({ status: 402 });
  });

  test("a soft one only tells, once for each threshold", async () => {
    const soft = budget("day", { ...spentUp, limit: fromDollars(0.0001), hard: false });
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [soft] });
    expect((await it.ask(cloudAsk)).response.status).toBe(200);
    expect(it.notices.map(({ threshold, spent }) => [threshold, Number(spent)])).toEqual([[1, 110_000]]);
  });

  test("a provider's own budget leaves its models out, and others serve", async () => {
    const scoped = budget("cloud day", { ...spentUp, scope: { kind: "upstream", value: "cloud" } });
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [scoped] });
    expect((await it.ask(autoAsk)).response.headers.get("x-router-target")).toBe("local/small");
  });

  test.each([
    ["placement", "cloud"],
    ["provider", "cloud"],
    ["team", "blue"],
    ["key", "k1"],
    ["key", "mine"],
    ["tag", "batch"],
    ["total", undefined],
  ] as const)("the scope %s %s counts what it is about", async (kind, value) => {
    const scoped = budget("b", { ...spentUp, scope: { kind, value } });
    const keys = only({ team: "blue", tags: ["batch"] });
    const it = gateway({ local: [completion("hi")] }, { keys }, { budgets: [scoped] });
    expect(await errorOf(await it.ask(cloudAsk, withKey))).toMatchObject({ status: 402 });
    const other = { ...scoped, scope: { kind, value: kind === "total" ? undefined : `not ${value}` } };
    const free = gateway({ local: [completion("hi")] }, { keys }, { budgets: kind === "total" ? [] : [other] });
    expect((await free.ask(cloudAsk, withKey)).response.status).toBe(200);
  });

  test("a tag of the request's header counts like one of the key's", async () => {
    const scoped = budget("b", { ...spentUp, scope: { kind: "tag", value: "nightly" } });
    const it = gateway({ local: [completion("hi")] }, {}, { budgets: [scoped] });
    expect(await errorOf(await it.ask(cloudAsk, { "x-router-tags": "a, nightly" }))).toMatchObject({ status: 402 });
  });

  test("a key cannot spend from the budget of a tag that it does not carry, nor add to its rows", async () => {
    const scoped = budget("b", { ...spentUp, scope: { kind: "tag", value: "nightly" } });
    const it = gateway({ local: [completion("hi")] }, { keys: only({ tags: ["a"] }) }, { budgets: [scoped] });
    const reply = await it.ask(cloudAsk, { ...withKey, "x-router-tags": "nightly, other" });
    expect(reply.response.status).toBe(200);
    await reply.settled;
    expect(it.records[0]?.tags).toEqual(["a", "other"]);
  });

  test("a cloud model without a price is left out under a hard budget, unless the config allows it", async () => {
    const prices = fixedPrices({ small: flatPrice("s", 1, 1) });
    const strict = gateway({ local: [completion("hi")] }, {}, { prices, budgets: [budget("day")] });
    const error = await errorOf(await strict.ask(cloudAsk));
    expect(error).toMatchObject({ status: 402 });
    expect(error.message).toContain("Nobody knows what `cloud/big` costs");
    const lax = gateway({ local: [completion("hi")] }, {}, { prices, budgets: [budget("day")], unpriced: "allow" });
    expect((await lax.ask(cloudAsk)).response.status).toBe(200);
  });

  test("the most an output can be is reserved where that is asked, and an endless one is refused", async () => {
    const rules = { budgets: [budget("day", { limit: fromDollars(0.004) })], reserve: "max" as const };
    const it = gateway({ local: [completion("hi")] }, {}, rules);
    // 100 tokens of output at 20 $ a million, and some bytes of input at 10 $.
    expect((await it.ask(cloudAsk)).response.status).toBe(200);
    const large = gateway({ local: [completion("hi")] }, {}, rules);
    expect(await errorOf(await large.ask({ ...cloudAsk, max_tokens: 300 }))).toMatchObject({ status: 402 });
    const endless = gateway({ local: [completion("hi")] }, {}, rules);
    expect((await errorOf(await endless.ask({ ...hello, model: "cloud" }))).message).toContain("Nothing bounds what");
  });
});

describe("limits", () => {
  const one = rateLimit("one", { requestsPerMinute: 1, tokensPerMinute: 10_000 });

  test("answers tell what is left, and the next request is refused with 429 and when to come back", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { limits: [one] });
    const { headers } = (await it.ask(hello)).response;
    expect(headers.get("x-ratelimit-limit-requests")).toBe("1");
    expect(headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(headers.get("x-ratelimit-limit-tokens")).toBe("10000");
    const again = await it.again(hello);
    expect(Number(again.response.headers.get("retry-after"))).toBeGreaterThan(58);
    const error = await errorOf(again);
    expect(error).toMatchObject({ status: 429, code: "limit_reached" });
    expect(error.message).toContain("1 requests a minute");
    expect(it.transport.sent).toHaveLength(1);
    await it.clock.advance(61_000);
    expect((await it.again(hello)).response.status).toBe(200);
  });

  test("tokens that were reserved and not used are given back", async () => {
    const it = gateway({ local: [completion("hi")] }, {}, { limits: [rateLimit("t", { tokensPerMinute: 600 })] });
    await it.ask(hello);
    // 3 + 4 tokens were used of the 518 that were reserved.
    expect((await it.again(hello)).response.status).toBe(200);
  });

  test("an upstream at its limit is passed over for another", async () => {
    const full = rateLimit("up", { scope: { kind: "upstream", value: "local" }, requestsPerMinute: 1 });
    const it = gateway({ local: [completion("hi")] }, {}, { limits: [full] });
    expect((await it.ask(hello)).response.headers.get("x-router-backend")).toBe("local");
    const { headers } = (await it.again(hello)).response;
    expect(headers.get("x-router-backend")).toBe("cloud");
    expect(headers.get("x-router-reason")).toBe("upstream_limit");
  });
});

describe("keys", () => {
  test("a model the key may not use gets 403, never another one", async () => {
    const keys = only({ allowedModels: [["local"]] });
    const it = gateway({ local: [completion("hi")] }, { keys });
    expect(await errorOf(await it.ask(cloudAsk, withKey))).toMatchObject({ status: 403, code: "key_not_allowed" });
    expect(it.transport.sent).toEqual([]);
  });

  test("`auto` and fallbacks stay within what the key may use", async () => {
    const keys = only({ allowedModels: [["@local"], ["*"]] });
    const it = gateway({ local: [refuse] }, { keys });
    const reply = await it.ask(autoAsk, withKey);
    expect(reply.response.status).toBe(503);
    expect(it.transport.sent.map(({ upstream }) => upstream)).not.toContain("cloud");
  });

  test("the key's own names for models come first", async () => {
    const keys = only({ aliases: new Map([["fast", "local"]]) });
    const it = gateway({ local: [completion("hi")] }, { keys });
    const { headers } = (await it.ask({ ...hello, model: "fast" }, withKey)).response;
    expect(headers.get("x-router-target")).toBe("local/small");
    expect(it.exchange.asked).toBe("fast");
  });

  test("the key's strategy holds where the request names none, and one it may not use is refused", async () => {
    const keys = only({ strategy: "local_first", allowedStrategies: new Set(["local_first"] as const) });
    const it = gateway({ local: [completion("hi")] }, { keys });
    expect((await it.ask(autoAsk, withKey)).response.headers.get("x-router-backend")).toBe("local");
    const other = gateway({ local: [completion("hi")] }, { keys });
    const asked = await other.ask(autoAsk, { ...withKey, "x-router-strategy": "cloud_first" });
    expect(await errorOf(asked)).toMatchObject({ status: 403, code: "key_not_allowed" });
  });

  test("key, team and tags stand in the row", async () => {
    const keys = only({ team: "blue", user: "ada", tags: ["a"] });
    const it = gateway({ local: [completion("hi")] }, { keys });
    const record = await outcomeOf(it, await it.ask(hello, { ...withKey, "x-router-tags": "b" }));
    expect(record).toMatchObject({ keyId: "k1", team: "blue", user: "ada", tags: ["a", "b"] });
  });
});
