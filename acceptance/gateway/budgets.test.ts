import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { APIError } from "openai";
import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { operator } from "../setup/admin.ts";
import { repository, runBun } from "../setup/child-process.ts";
import { type ChatBody, openaiClient, postChat, readError, say } from "../setup/clients.ts";
import { type GatewayProcess, gatewayProgram, startGateway } from "../setup/gateway-process.ts";
import {
  askFor,
  budgetNamed,
  crash,
  inputTokens,
  ledgerRows,
  makeKey,
  nano,
  nanoCost,
  prices,
  pricing,
} from "../setup/money.ts";
import { canaryEnv, openaiModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

type Config = Omit<FairleadConfigInput, "upstreams">;
type Budgets = NonNullable<FairleadConfigInput["budgets"]>;

let simulators: Upstreams;

beforeAll(async () => {
  simulators = await startSimulators();
});
beforeEach(async () => {
  await Promise.all(Object.values(simulators).flatMap((one) => [one.setFault(null), one.clearHits()]));
});

interface Started {
  readonly gateway: GatewayProcess;
  readonly url: string;
  readonly call: ReturnType<typeof operator>;
  readonly config: FairleadConfigInput;
}

async function run(config: FairleadConfigInput): Promise<Started> {
  const gateway = await startGateway({ config, env: canaryEnv });
  return { gateway, url: gateway.url, call: operator(gateway, config.storage?.dir ?? ""), config };
}

function start(more: Config = {}): Promise<Started> {
  const usual = usualConfig(simulators);
  return run({
    ...usual,
    pricing: pricing(),
    storage: { dir: tempDir() },
    ...more,
    routing: { ...usual.routing, ...more.routing },
  });
}

const total = (dollars: number, more: object = {}): Budgets => ({
  day: { scope: "total", limitUsd: dollars, onExhausted: "refuse", ...more },
});

/** Dollars of so many such requests at OpenAI. */
const dollarsFor = (body: ChatBody, tokens: number, times: number): number =>
  (nanoCost(prices.openai, inputTokens(body), tokens) * times) / 1e9;

/** Sends all at once, every second one streamed; returns how many were served. Everything else must be a 402. */
async function flood(url: string, body: ChatBody, count: number): Promise<number> {
  const client = openaiClient(url, { maxRetries: 2 });
  const send = async (stream: boolean): Promise<boolean> => {
    try {
      const request = { ...(body as { model: string; messages: [] }), stream };
      const answer = await client.chat.completions.create(request);
      if (Symbol.asyncIterator in answer) for await (const _ of answer);
      return true;
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(APIError);
      expect(thrown).toMatchObject({ status: 402, code: "budget_exhausted", type: expect.any(String) });
      return false;
    }
  };
  const served = await Promise.all(Array.from({ length: count }, (_, i) => send(i % 2 === 0)));
  return served.filter(Boolean).length;
}

/** Nano-dollars that the ledger says were spent. */
async function usageCost(call: Started["call"], query = ""): Promise<number> {
  const { json } = await call("GET", `/usage?${query}`);
  return json.data.reduce((sum: number, row: { cost_usd: number | null }) => sum + nano(row.cost_usd ?? 0), 0);
}

interface Attempt {
  readonly upstream: "openai" | "anthropic";
  readonly cost_usd: number;
  readonly tokens: { readonly input: number; readonly output: number };
}

const costOf = ({ upstream, tokens }: Attempt): number => nanoCost(prices[upstream], tokens.input, tokens.output);

async function expectQuiet(call: Started["call"], spent: number, name = "day"): Promise<void> {
  await expect.poll(async () => (await budgetNamed(call, name)).held).toBe(0);
  expect((await budgetNamed(call, name)).spent).toBe(spent);
}

describe("with fifty requests at once and room for ten", () => {
  // Slow enough that no answer ends before the last request has asked for room.
  const body = askFor(40, { max_tokens: 40 }, "[[sim:pace=25]]");
  const each = nanoCost(prices.openai, inputTokens(body), 40);

  test("a budget is passed by no more than the predictions were wrong", async () => {
    const limit = dollarsFor(body, 40, 10);
    const { url, call } = await start({ budgets: total(limit) });
    const served = await flood(url, body, 50);
    // The output is predicted exactly; the input is an estimate, which a dry run of the decision shows.
    const asked = await fetch(`${url}/v1/route`, { method: "POST", body: JSON.stringify(body) });
    const { features } = (await asked.json()) as { features: { input_tokens: number } };
    const reserved = nanoCost(prices.openai, features.input_tokens, 40);
    const unforeseen = Math.max(0, each - reserved);
    expect(served).toBe(Math.floor(nano(limit) / reserved));
    await ledgerRows(call, 50);
    expect(await usageCost(call)).toBe(served * each);
    expect(served * each - nano(limit)).toBeLessThanOrEqual(served * unforeseen);
    await expectQuiet(call, served * each);
    // Refusals are not tried again by the client, and nothing of them reaches an upstream.
    expect((await simulators.openai.generations()).length).toBe(served);
  });

  test("under `reserve: max` nothing at all is over, and what was not used is given back", async () => {
    const limit = dollarsFor(body, 40, 10);
    const { url, call } = await start({ budgets: total(limit), pricing: pricing({ reserve: "max" }) });
    const first = await flood(url, body, 50);
    expect(first).toBeGreaterThan(2);
    expect(first * each).toBeLessThanOrEqual(nano(limit));
    await expectQuiet(call, first * each);
    // What one of them held and did not need is there for others.
    const second = await flood(url, body, 50);
    expect(second).toBeGreaterThan(0);
    expect((first + second) * each).toBeLessThanOrEqual(nano(limit));
    await expectQuiet(call, (first + second) * each);
    await ledgerRows(call, 100);
    expect(await usageCost(call)).toBe((first + second) * each);
  });
});

describe("every way a request can end", () => {
  let started: Started;
  let spent = 0;
  let rows = 0;

  beforeAll(async () => {
    started = await start({ budgets: total(1_000), routing: { retriesPerTarget: 1 } });
  });

  /** The row of the request that was just made; its cost is part of what the budget says. */
  async function lastRow() {
    rows += 1;
    const row = (await ledgerRows(started.call, rows)).at(-1);
    spent += nano(row.cost_usd ?? 0);
    await expectQuiet(started.call, spent);
    expect(await usageCost(started.call)).toBe(spent);
    return row;
  }

  test("whole and streamed answers cost what the upstream counted", async () => {
    const body = askFor(12);
    const cost = nanoCost(prices.openai, inputTokens(body), 12) / 1e9;
    await (await postChat(started.url, body)).text();
    expect(await lastRow()).toMatchObject({ outcome: "ok", cost_usd: cost, estimated: false, status: 200 });
    await (await postChat(started.url, { ...body, stream: true })).text();
    expect(await lastRow()).toMatchObject({ outcome: "ok", cost_usd: cost, estimated: false, stream: true });
  });

  test("a client that leaves in the middle pays for what was written until then, by estimate", async () => {
    const body = askFor(400, { stream: true }, "[[sim:pace=20]]");
    const client = openaiClient(started.url);
    const stream = await client.chat.completions.create(body as never);
    let chunks = 0;
    for await (const _ of stream as unknown as AsyncIterable<unknown>) {
      if (++chunks === 5) break;
    }
    const row = await lastRow();
    expect(row).toMatchObject({ outcome: "client_gone", estimated: true });
    expect(row.tokens.output).toBeGreaterThanOrEqual(3);
    expect(row.tokens.output).toBeLessThan(100);
    expect(nano(row.cost_usd)).toBe(nanoCost(prices.openai, row.tokens.input, row.tokens.output));
    await simulators.openai.waitForHit({ aborted: true }, 5_000);
  });

  test("a stream that its upstream cuts is paid for by estimate", async () => {
    await simulators.openai.setFault({ spec: "cut=1500", times: 1 });
    const text = await (await postChat(started.url, askFor(200, { stream: true }))).text();
    expect(text).toContain("error");
    const row = await lastRow();
    expect(row).toMatchObject({ outcome: "interrupted", estimated: true });
    expect(nano(row.cost_usd)).toBe(nanoCost(prices.openai, row.tokens.input, row.tokens.output));
    expect(row.tokens.output).toBeGreaterThan(0);
  });

  test("a refused try is free, and the second at the same upstream is paid", async () => {
    await simulators.openai.setFault({ spec: "status=500", times: 1 });
    const body = askFor(9);
    expect((await postChat(started.url, body)).status).toBe(200);
    const row = await lastRow();
    expect(row.attempts).toMatchObject([
      { upstream: "openai", upstream_status: 500, cost_usd: null },
      { upstream: "openai", cost_usd: nanoCost(prices.openai, inputTokens(body), 9) / 1e9, estimated: false },
    ]);
  });

  test("a try that may have cost something before it broke is estimated, and the next one is paid as well", async () => {
    await simulators.openai.setFault({ spec: "malformed", times: 1 });
    expect((await postChat(started.url, askFor(9))).status).toBe(200);
    const row = await lastRow();
    expect(row).toMatchObject({ estimated: true, attempts: [{ estimated: true }, { estimated: false }] });
    const costs = row.attempts.map((attempt: Attempt) => nano(attempt.cost_usd));
    expect(costs).toEqual(row.attempts.map(costOf));
    expect(costs[0]).toBeGreaterThan(0);
    expect(nano(row.cost_usd)).toBe(costs[0] + costs[1]);
  });

  test("a fallback costs what its own model costs", async () => {
    await simulators.openai.setFault({ spec: "status=500", times: 2 });
    const body = askFor(9);
    const answer = await postChat(started.url, body);
    expect(answer.headers.get("x-router-target")).toMatch(/^anthropic\//);
    await answer.text();
    const row = await lastRow();
    expect(row.served.upstream).toBe("anthropic");
    expect(nano(row.cost_usd)).toBe(nanoCost(prices.anthropic, row.tokens.input, row.tokens.output));
    expect(row.tokens.output).toBe(9);
  });

  test("a request that every upstream refuses costs nothing", async () => {
    await simulators.openai.setFault({ spec: "status=400", times: 1 });
    expect((await postChat(started.url, askFor(9))).status).toBe(400);
    expect(await lastRow()).toMatchObject({ outcome: "error", cost_usd: null });
  });
});

describe("at its end", () => {
  test("`self_hosted` keeps `auto` at home and says why; a cloud model asked by name gets 402, once", async () => {
    const { url } = await start({ budgets: total(0, { onExhausted: "self_hosted" }) });
    const client = openaiClient(url, { maxRetries: 3 });
    // So long an answer is not for the local model while there is money.
    const { response } = await client.chat.completions
      .create({ model: "auto", max_tokens: 4_000, messages: [{ role: "user", content: "Hi" }] })
      .withResponse();
    expect(response.headers.get("x-router-backend")).toBe("local");
    expect(response.headers.get("x-router-reason")).toBe("budget_exhausted");
    const refused = client.chat.completions.create({
      model: openaiModel,
      messages: [{ role: "user", content: "Hi" }],
    });
    await expect(refused).rejects.toMatchObject({ status: 402, code: "budget_exhausted" });
    const raw = await postChat(url, say("Hi", { model: openaiModel }));
    expect(raw.headers.get("x-should-retry")).toBe("false");
    expect(await readError(raw)).toEqual({
      message: expect.stringContaining("`day`"),
      type: expect.any(String),
      param: null,
      code: "budget_exhausted",
    });
    expect(await simulators.openai.generations()).toEqual([]);
    expect(await simulators.anthropic.generations()).toEqual([]);
  });

  test("`refuse` refuses `auto` too, and the client does not try again", async () => {
    const { url, call } = await start({ budgets: total(0) });
    const client = openaiClient(url, { maxRetries: 3 });
    const auto = client.chat.completions.create({
      model: "auto",
      messages: [{ role: "user", content: "Hi" }],
      stream: true,
    });
    await expect(auto).rejects.toMatchObject({ status: 402 });
    expect(await ledgerRows(call, 1)).toMatchObject([{ status: 402, cost_usd: null, attempts: [] }]);
    for (const one of Object.values(simulators)) expect(await one.generations()).toEqual([]);
  });

  test("a budget that is not hard only notifies", async () => {
    const { url } = await start({ budgets: total(0.000001, { hard: false }) });
    for (let i = 0; i < 3; i++) expect((await postChat(url, askFor(5))).status).toBe(200);
  });
});

describe("over a restart", () => {
  for (const [how, end] of [
    ["stopped", (gateway: GatewayProcess) => gateway.stop()],
    ["killed", crash],
  ] as const) {
    test(`what a ${how} gateway spent still counts`, async () => {
      const body = askFor(10, { max_tokens: 10 });
      const each = nanoCost(prices.openai, inputTokens(body), 10);
      const first = await start({ budgets: total(dollarsFor(body, 10, 3)) });
      for (let i = 0; i < 2; i++) expect((await postChat(first.url, body)).status).toBe(200);
      await end(first.gateway);
      const second = await run(first.config);
      await expect.poll(async () => (await budgetNamed(second.call, "day")).spent, { timeout: 8_000 }).toBe(2 * each);
      expect((await postChat(second.url, body)).status).toBe(200);
      expect((await postChat(second.url, body)).status).toBe(402);
      await expectQuiet(second.call, 3 * each);
    });
  }

  test("a request that was running when the gateway was killed counts by estimate, and holds nothing", async () => {
    const first = await start({ budgets: total(1) });
    const running = postChat(first.url, askFor(400, { stream: true }, "[[sim:pace=20]]"));
    const reader = (await running).body?.getReader();
    await reader?.read();
    await crash(first.gateway);
    await reader?.cancel().catch(() => {});
    const second = await run(first.config);
    const [row] = await ledgerRows(second.call, 1);
    expect(row).toMatchObject({ orphaned: true, estimated: true, outcome: "interrupted" });
    expect(nano(row.cost_usd)).toBeGreaterThan(0);
    await expectQuiet(second.call, nano(row.cost_usd));
  });
});

describe("a budget made over the API", () => {
  let started: Started;
  beforeAll(async () => {
    started = await start();
    await started.call("POST", "/teams", { name: "search" });
  });

  for (const [kind, more] of [
    ["key", {}],
    ["team", { team: "search" }],
    ["tag", { tags: ["batch"] }],
  ] as const) {
    test(`for one ${kind} holds at once for it alone, and no more once it is deleted`, async () => {
      const { call, url } = started;
      const mine = await makeKey(call, `mine-${kind}`, more);
      const other = await makeKey(call, `other-${kind}`);
      const body = askFor(10, { max_tokens: 10 });
      const ask = async (headers: object) => (await postChat(url, body, { ...headers })).status;
      const scope = { [kind]: { key: mine.id, team: "search", tag: "batch" }[kind] };
      const limit_usd = dollarsFor(body, 10, 1.2);
      const budget = await call("POST", "/budgets", { name: kind, scope, limit_usd, on_exhausted: "refuse" });
      expect(budget.status).toBe(201);
      expect(await ask(mine.headers)).toBe(200);
      expect(await ask(mine.headers)).toBe(402);
      // Nobody spends from the budget of a tag by naming it.
      expect(await ask({ ...other.headers, "x-router-tags": kind === "tag" ? "batch" : "other" })).toBe(200);
      await expectQuiet(call, nanoCost(prices.openai, inputTokens(body), 10), kind);
      const more_usd = { limit_usd: limit_usd * 2 };
      expect((await call("PATCH", `/budgets/${budget.json.id}`, more_usd)).status).toBe(200);
      expect(await ask(mine.headers)).toBe(200);
      expect(await ask(mine.headers)).toBe(402);
      expect((await call("DELETE", `/budgets/${budget.json.id}`)).status).toBe(200);
      expect(await ask(mine.headers)).toBe(200);
    });
  }

  test("counts what was spent in its window before it was made", async () => {
    const { call, url } = started;
    const { id, headers } = await makeKey(call, "early");
    const body = askFor(10, { max_tokens: 10 });
    await (await postChat(url, body, headers)).text();
    await ledgerRows(call, 1, `&key=${id}`);
    const limit_usd = dollarsFor(body, 10, 1.5);
    await call("POST", "/budgets", { name: "late", scope: { key: id }, limit_usd, on_exhausted: "refuse" });
    await expectQuietly(call, "late", nanoCost(prices.openai, inputTokens(body), 10));
    expect((await postChat(url, body, headers)).status).toBe(402);
  });

  test("may roll over the last hours", async () => {
    const { call, url } = started;
    const { id, headers } = await makeKey(call, "rolling");
    const body = askFor(10, { max_tokens: 10 });
    const limit_usd = dollarsFor(body, 10, 1.5);
    const window = { rolling_hours: 2 };
    const made = await call("POST", "/budgets", {
      name: "rolling",
      scope: { key: id },
      limit_usd,
      window,
      on_exhausted: "refuse",
    });
    expect(made.json).toMatchObject({ window });
    expect((await postChat(url, body, headers)).status).toBe(200);
    expect((await postChat(url, body, headers)).status).toBe(402);
    const { current } = await budgetNamed(call, "rolling");
    expect(current.window_ends_at).toBeNull();
    expect(Date.parse(current.window_started_at)).toBeLessThan(Date.now() - 7_100_000);
  });
});

async function expectQuietly(call: Started["call"], name: string, spent: number): Promise<void> {
  await vi.waitFor(async () => expect((await budgetNamed(call, name)).spent).toBe(spent), { timeout: 5_000 });
  await expectQuiet(call, spent, name);
}

describe("a budget that is changed", () => {
  const body = askFor(10, { max_tokens: 10 });
  const each = nanoCost(prices.openai, inputTokens(body), 10);

  test("to another window and back has spent what it has spent, once", async () => {
    const { call, url } = await start();
    const scope = "total";
    const { json } = await call("POST", "/budgets", { name: "day", scope, limit_usd: 1, window: "month" });
    for (let i = 0; i < 2; i++) await (await postChat(url, body)).text();
    await ledgerRows(call, 2);
    for (const window of ["week", "month", "week", "month"]) {
      await call("PATCH", `/budgets/${json.id}`, { window });
      await expectQuietly(call, "day", 2 * each);
    }
  });

  test("counts its new window's history from its first moment on, also of requests that ended just now", async () => {
    const { call, url } = await start();
    const { id, headers } = await makeKey(call, "fresh");
    for (let i = 0; i < 3; i++) {
      expect((await postChat(url, body, headers)).status).toBe(200);
      // The row may not be in the database yet.
      const limit_usd = dollarsFor(body, 10, i + 1);
      const made = await call("POST", "/budgets", {
        name: `b${i}`,
        scope: { key: id },
        limit_usd,
        on_exhausted: "refuse",
      });
      expect((await postChat(url, body, headers)).status).toBe(402);
      await call("DELETE", `/budgets/${made.json.id}`);
    }
  });
});

test("the example of a whole set has the figures that are asked for, and they are in force", async () => {
  const dir = tempDir();
  const example = parse(readFileSync(join(repository, "examples/budgets.yaml"), "utf8"));
  // Nothing outside this machine is asked.
  for (const name of ["anthropic", "openai", "vertex"] as const) {
    example.upstreams[name].baseUrl = `${simulators[name === "vertex" ? "openai" : name].url}/v1`;
  }
  const env = {
    ...canaryEnv,
    VERTEX_ACCESS_TOKEN: "vertex-canary-55aa",
    FAIRLEAD_WEBHOOK_SECRET: "a-secret-for-webhooks",
    VLLM_BASE_URL: `${simulators.local.url}/v1`,
  };
  const gateway = await startGateway({ config: { ...example, storage: { dir } }, env });
  const { json } = await operator(gateway, dir)("GET", "/budgets");
  const zone = { window: "day", time_zone: "Europe/Berlin", notify_at: [0.8, 1] };
  const current = expect.objectContaining({ spent_usd: 0, held_usd: 0 });
  const capped = { ...zone, hard: true, on_exhausted: "self_hosted", current };
  const byName = Object.fromEntries(json.data.map((budget: { name: string }) => [budget.name, budget]));
  expect(byName).toMatchObject({
    total: { ...capped, scope: "total", limit_usd: 200 },
    vertex: { ...capped, scope: { upstream: "vertex" }, limit_usd: 100 },
    openai: { ...capped, scope: { provider: "openai" }, limit_usd: 50 },
    anthropic: { ...capped, scope: { provider: "anthropic" }, limit_usd: 50 },
    "self-hosted": { ...zone, scope: { placement: "local" }, limit_usd: 10, hard: false, current },
  });
  expect(Object.keys(byName).length).toBe(5);
});

test("the commands of the guide make budgets that hold", async () => {
  const { url, call, config } = await start();
  const dir = config.storage?.dir ?? "";
  const cli = async (line: string): Promise<string> => {
    const args = [...line.split(" "), "--url", url, "--dir", dir];
    const { ending, stdout, stderr } = await runBun(gatewayProgram, args);
    expect(ending, stderr).toBe(0);
    return stdout;
  };
  await cli("teams create search");
  await cli(
    "budgets create search --scope team=search --limit 20 --window day --time-zone Europe/Berlin --notify 0.8,1",
  );
  const key = JSON.parse(await cli("keys create crawler --team search --budget 0.001/day --rpm 60 --json"));
  const headers = { authorization: `Bearer ${key.key}` };
  const body = askFor(10, { max_tokens: 10 });
  expect((await postChat(url, body, headers)).headers.get("x-ratelimit-limit-requests")).toBe("60");
  let status = 200;
  // 32 hundred-thousandths of a dollar each: the fourth does not fit into a thousandth.
  for (let i = 2; status === 200; i++) {
    status = (await postChat(url, body, headers)).status;
    if (i < 4) expect(status).toBe(200);
  }
  expect(status).toBe(402);
  const { spent } = await budgetNamed(call, "search");
  expect(spent).toBe(3 * nanoCost(prices.openai, inputTokens(body), 10));
  expect(await cli("budgets list")).toMatch(/search.*team.*search/);
  const listed = JSON.parse(await cli("budgets list --json"));
  expect(listed.data ?? listed).toHaveLength(2);
});
