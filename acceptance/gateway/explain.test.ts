import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decisionSchema } from "@fairlead/contract/decision-api";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runBun } from "../setup/child-process.ts";
import { type ChatBody, postChat, readError, say } from "../setup/clients.ts";
import { gatewayProgram } from "../setup/gateway-process.ts";
import {
  type Hybrid,
  type HybridSimulators,
  on,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { budgetNamed, makeKey } from "../setup/money.ts";
import { canaries, openaiModel } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

let simulators: HybridSimulators;
let hybrid: Hybrid;
let mine: Record<string, string>;
let others: Record<string, string>;
let mineText: string;
let mineId: string;

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators, {
    aliases: { smart: "claude-opus-4-8" },
    models: { "gpt-3.5-turbo": { strategy: "hybrid" } },
    budgets: { all: { scope: "total", limitUsd: 100 } },
    // Equal targets are drawn at random otherwise, by the explanation as by the request.
    routing: { balance: "priority" },
  });
  const made = await makeKey(hybrid.call, "mine", { team: null });
  mine = made.headers;
  mineText = made.key;
  mineId = made.id;
  others = (await makeKey(hybrid.call, "others")).headers;
});
beforeEach(() => resetHybrid(simulators));

async function explain(body: unknown, headers = mine) {
  const response = await fetch(`${hybrid.url}/v1/route`, { method: "POST", headers, body: JSON.stringify(body) });
  const json = await response.json();
  return { status: response.status, json: json as ReturnType<typeof decisionSchema.parse>, raw: JSON.stringify(json) };
}

async function decisionOf(id: string, headers = mine) {
  const response = await fetch(`${hybrid.url}/v1/decisions/${id}`, { headers });
  const json = await response.json();
  return { status: response.status, json: json as ReturnType<typeof decisionSchema.parse>, raw: JSON.stringify(json) };
}

const rowsNow = async (): Promise<number> => (await hybrid.call("GET", "/decisions?limit=1000")).json.data.length;

/** A ledger row, once it is written. */
async function rowOf(id: string) {
  await expect.poll(async () => (await hybrid.call("GET", `/decisions/${id}`)).status, { timeout: 10_000 }).toBe(200);
  return (await hybrid.call("GET", `/decisions/${id}`)).json;
}

const long = "Some more words of a long prompt. ".repeat(250);
const image = { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } };
const requests: [string, ChatBody, Record<string, string>?][] = [
  ["a short question", say("What is Kubernetes?")],
  ["a missing model", { messages: [{ role: "user", content: "Hi" }] }],
  ["a long prompt", say(long)],
  ["a long output", say("Hi", { max_tokens: 2_000 })],
  ["a very long prompt", say(long.repeat(60))],
  ["code to write", say("Write a Python REST API with FastAPI", { max_tokens: 1_000 })],
  ["a picture", { model: "auto", messages: [{ role: "user", content: [{ type: "text", text: "What?" }, image] }] }],
  ["a cloud model", say("Hi", { model: "claude-haiku-4-5-20251001" })],
  ["an alias", say("Hi", { model: "smart" })],
  ["a route", say("Hi", { model: "gpt-3.5-turbo" })],
  ["a name nobody serves", say("Hi", { model: "gpt-4o-mnii" })],
  ["a strategy in the body", say("Hi", { routing_strategy: "quality" })],
  ["a strategy in the header", say("Hi"), { "x-router-strategy": "cloud_first" }],
  ["data that stays", say(long), { "x-router-data": "local-only" }],
  ["preferences", say("Hi", { routing: { order: ["openai"], ignore: ["gemini"] } })],
  ["a stream", say("Hi", { stream: true, routing: { strategy: "long_context" } })],
];

describe("`POST /v1/route`", () => {
  test.each(requests)("%s: tells what the request then does, at its top level", async (_, body, headers = {}) => {
    const told = await explain(body, { ...mine, ...headers });
    expect(told.status, told.raw).toBe(200);
    expect(await reached(simulators)).toEqual([]);
    decisionSchema.parse(told.json);
    const served = await hybrid.ask(body, { ...mine, ...headers });
    expect(served.status, served.text).toBe(200);
    expect(await reached(simulators)).toEqual([served.target]);
    const { backend, target, reason } = told.json;
    expect({ backend, target, reason }).toEqual({
      backend: served.backend,
      target: served.target,
      reason: served.reason,
    });
    const { json: real } = await decisionOf(served.id);
    for (const field of ["asked", "strategy", "rule", "first_choice", "order", "features", "exclusions"] as const) {
      expect(told.json[field], field).toEqual(real[field]);
    }
  });

  test("tells of a local model that is not there as the request does", async () => {
    const quick = { health: { intervalMs: 100 } };
    const own = await startHybrid(simulators, { upstreams: { vllm: quick, coder: quick } });
    await simulators.vllm.setState({ healthy: false });
    await simulators.coder.setState({ healthy: false });
    for (const name of ["vllm", "coder"]) await untilUpstream(own.url, name, ({ healthy }) => !healthy);
    const body = say("Hi", { model: "local" });
    const response = await fetch(`${own.url}/v1/route`, { method: "POST", body: JSON.stringify(body) });
    const told = (await response.json()) as Record<string, unknown>;
    const { backend, target, reason } = await own.ask(body);
    expect(told).toMatchObject({ backend, target, reason });
    expect(target).toBe(on.sonnet);
    expect(reason).toMatch(/^local_(cold|down)$/);
  });

  test("refuses what the request would be refused for, alike", async () => {
    const refused: [ChatBody, Record<string, string>][] = [
      [say("Hi", { routing: { strategy: "nonsense" } }), {}],
      [say("Hi", { model: "claude-opus-4-8" }), { "x-router-data": "local-only" }],
      [say("Hi", { routing: { only: ["openai"], ignore: ["openai"] } }), {}],
      [{ model: "auto" }, {}],
    ];
    for (const [body, more] of refused) {
      const headers = { ...mine, ...more };
      const real = await postChat(hybrid.url, body, headers);
      const { error } = (await real.json()) as { error: { message: string; code: string } };
      const told = await explain(body, headers);
      expect(told.status).toBe(real.status);
      expect((told.json as unknown as { error: object }).error).toMatchObject({
        message: error.message,
        code: error.code,
      });
    }
    expect((await explain(say("Hi"), { authorization: "Bearer wrong" })).status).toBe(401);
  });

  test("sends nothing, reserves nothing, writes nothing, keeps nothing", async () => {
    await hybrid.ask(say("Hi"), mine);
    await expect.poll(async () => (await budgetNamed(hybrid.call, "all")).held).toBe(0);
    const settled = await hybrid.ask(say("a marker"), mine);
    await rowOf(settled.id);
    const [rows, { spent }] = [await rowsNow(), await budgetNamed(hybrid.call, "all")];
    const ids: string[] = [];
    await Promise.all(Object.values(simulators).map((simulator) => simulator.clearHits()));
    for (const [, body] of requests) ids.push((await explain(body)).json.id);
    expect(await reached(simulators)).toEqual([]);
    expect(await budgetNamed(hybrid.call, "all")).toMatchObject({ spent, held: 0 });
    for (const id of ids) expect((await decisionOf(id)).status).toBe(404);
    // Whatever was to be written has been by the time a later request's row is there.
    await rowOf((await hybrid.ask(say("the last one"), mine)).id);
    expect(await rowsNow()).toBe(rows + 1);
  });

  test("shows every candidate's price, also of those left out", async () => {
    const { json } = await explain(say("Hi"));
    expect(json.candidates.map(({ target }) => target).sort()).toEqual(Object.values(on).sort());
    expect(json.candidates.find(({ target }) => target === on.opus)?.cost_usd).toBeGreaterThan(0);
    expect(json.order[0]).toBe(on.small);
  });
});

describe("`GET /v1/decisions/{id}`", () => {
  test("answers while a stream runs and after it", async () => {
    const response = await postChat(hybrid.url, say("[[sim:tokens=40]][[sim:pace=20]]", { stream: true }), mine);
    const id = response.headers.get("x-router-decision-id") ?? "";
    const { status, json } = await decisionOf(id);
    expect(status).toBe(200);
    expect(json).toMatchObject({ id, backend: "local", target: on.small, reason: "local_adequate" });
    await response.text();
    const { json: after } = await decisionOf(id);
    expect(after).toMatchObject({ id, target: on.small, outcome: "ok", status: 200 });
    expect(after.attempts).toMatchObject([{ target: on.small, error: null }]);
    decisionSchema.parse(after);
  });

  test("tells every attempt of a request that had to fall back", async () => {
    await simulators.vllm.setFault({ spec: "status=500" });
    const { id } = await hybrid.ask(say("Hi", { model: on.small }), mine);
    const { json } = await decisionOf(id);
    expect(json.attempts[0]).toMatchObject({ target: on.small, error: "upstream_error" });
    expect(json.attempts.at(-1)).toMatchObject({ target: json.target, error: null });
    expect(json.fallback).toEqual({ from: on.small, why: "upstream_error" });
  });

  test("tells of a request that nobody could serve", async () => {
    await Promise.all(Object.values(simulators).map((simulator) => simulator.setFault({ spec: "status=500" })));
    const { id, status } = await hybrid.ask(say("Hi", { routing: { strategy: "cloud_only" } }), mine);
    expect(status).toBe(502);
    const { json } = await decisionOf(id);
    expect(json).toMatchObject({ status: 502, outcome: "error", confined_to: "cloud" });
    expect(json.attempts.length).toBeGreaterThan(1);
    expect(json.attempts.map(({ error }) => error)).toEqual(json.attempts.map(() => "upstream_error"));
  });

  test("is a 404 for another key's, for none, and for one that never was", async () => {
    const { id } = await hybrid.ask(say("Hi"), mine);
    expect((await decisionOf(id)).status).toBe(200);
    expect((await decisionOf(id, others)).status).toBe(404);
    expect((await decisionOf("nothing")).status).toBe(404);
    expect((await decisionOf("%00")).status).toBe(404);
    expect((await fetch(`${hybrid.url}/v1/decisions/${id}`)).status).toBe(401);
    // The running one too.
    const running = await postChat(hybrid.url, say("[[sim:tokens=20]][[sim:pace=20]]", { stream: true }), mine);
    const open = running.headers.get("x-router-decision-id") ?? "";
    expect((await decisionOf(open, others)).status).toBe(404);
    await running.text();
  });

  test("holds no prompt text and no key", async () => {
    const secret = "a-very-private-prompt-27182";
    const body = { ...say(`Translate ${secret}`), messages: [{ role: "user", content: secret }], user: "private-user" };
    const { id } = await hybrid.ask(body, { ...mine, "x-secret-header": secret });
    const row = await rowOf(id);
    const told = [(await decisionOf(id)).raw, (await explain(body)).raw, JSON.stringify(row)];
    for (const text of told) {
      expect(text).not.toContain(secret);
      for (const key of [mineText, ...Object.values(canaries)]) expect(text).not.toContain(key);
    }
  });
});

test("the ledger row carries features, signals, exclusions, candidates, order and attempts", async () => {
  await simulators.anthropic.setFault({ spec: "status=500" });
  const ask = "Compare these two designs step by step. What is the trade-off? Which is better, and why?";
  const body = say(`${ask} ${long}`, { routing: { ignore: ["gemini"], strategy: "quality" } });
  const { id, target, status } = await hybrid.ask(body, mine);
  expect(status).toBe(200);
  const { json: decision } = await decisionOf(id);
  const row = await rowOf(id);
  expect(row).toMatchObject({ id, strategy: "quality", reason: decision.reason, key: mineId });
  expect(row.exclusions).toContainEqual({ target: on.flash, reason: "client_preference" });
  expect(row.served.target).toBe(target);
  expect(row.attempts.length).toBeGreaterThan(1);
  expect(row.features).toMatchObject({ prompt_tokens: decision.features?.prompt_tokens });
  expect(row.features.signals.length).toBeGreaterThan(0);
  expect(row.order[0]).toBe(on.opus);
  expect(row.candidates.map((one: { target: string }) => one.target)).toContain(on.mini);
});

test("a decision that memory has forgotten is read from the ledger, by its own key alone", async () => {
  const forgetful = await startHybrid(simulators, { routing: { decisions: { keep: 1 }, balance: "priority" } });
  const { id } = await forgetful.ask(say("Hi"));
  const { id: newest } = await forgetful.ask(say("Hi"));
  const read = (path: string) => fetch(`${forgetful.url}/v1/decisions/${path}`);
  await expect.poll(async () => (await read(id)).status).toBe(200);
  const kept = (await (await read(newest)).json()) as ReturnType<typeof decisionSchema.parse>;
  const found = (await (await read(id)).json()) as ReturnType<typeof decisionSchema.parse>;
  expect(found).toMatchObject({
    id,
    target: kept.target,
    reason: kept.reason,
    rule: kept.rule,
    features: kept.features,
  });
  await forgetful.gateway.stop();
});

describe("`fairlead route explain`", () => {
  const run = (...args: string[]) =>
    runBun(gatewayProgram, ["route", "explain", ...args], {
      env: { FAIRLEAD_URL: hybrid.url, FAIRLEAD_API_KEY: mineText },
      cwd: tempDir(),
    });

  test("prints a tree with the target, the reason and what was left out", async () => {
    const { ending, stdout, stderr } = await run("What is Kubernetes?", "--strategy", "quality", "--local-only");
    expect(ending, stderr).toBe(0);
    expect(stdout).toMatch(/[├└│]/);
    expect(stdout).toMatch(new RegExp(`${on.small}|${on.coder}`));
    expect(stdout).toContain("residency");
    expect(stdout).toContain(on.opus);
    expect(await reached(simulators)).toEqual([]);
  });

  test("answers in JSON, of a file and of a decision that was made", async () => {
    const file = join(tempDir(), "request.json");
    writeFileSync(file, JSON.stringify(say(long, { model: "auto" })));
    const told = await run("--file", file, "--json");
    expect(told.ending, told.stderr).toBe(0);
    expect(JSON.parse(told.stdout)).toMatchObject({ reason: "prompt_too_long", target: on.sonnet });
    const { id } = await hybrid.ask(say("Hi", { model: openaiModel }), mine);
    const made = await run("--id", id);
    expect(made.ending, made.stderr).toBe(0);
    expect(made.stdout).toContain(on.mini);
    expect(made.stdout).toContain("explicit_model");
  });

  test("says what is wrong and exits with an error", async () => {
    const { ending, stdout, stderr } = await run("Hi", "--strategy", "nonsense");
    expect(ending).not.toBe(0);
    expect(stdout + stderr).toContain("nonsense");
    expect(stdout + stderr).not.toMatch(/\bat .+\.ts:\d+/);
  });
});

test("an error of the client's own format: a decision that is not kept", async () => {
  const response = await fetch(`${hybrid.url}/v1/decisions/nothing`, { headers: mine });
  expect(await readError(response)).toMatchObject({ code: "not_found", type: "invalid_request_error" });
});

test("a request that nothing could serve keeps what was left out, and why", async () => {
  const { id, status } = await hybrid.ask(
    say("Hi", { routing: { only: ["@cloud"], max_cost_usd: 0.000000001 } }),
    mine,
  );
  expect(status).toBe(400);
  const { status: found, json } = await decisionOf(id);
  expect(found).toBe(200);
  expect(json.target).toBeNull();
  expect(json.features?.task).toBe("chat");
  expect(json.exclusions).toContainEqual({ target: on.opus, reason: "price_cap" });
  expect(json.exclusions).toContainEqual({ target: on.small, reason: "client_preference" });
  expect((await rowOf(id)).exclusions).toEqual(json.exclusions);
});
