import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operator } from "../setup/admin.ts";
import { openaiClient, postChat, readError } from "../setup/clients.ts";
import { askFor, inputTokens, makeKey } from "../setup/money.ts";
import { openaiModel, type Rig, startRig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const dir = tempDir();
let rig: Rig;
let url: string;
let call: ReturnType<typeof operator>;

beforeAll(async () => {
  rig = await startRig({ config: { storage: { dir } } });
  url = rig.gateway.url;
  call = operator(rig.gateway, dir);
});
beforeEach(async () => {
  await Promise.all([rig.openai.clearHits(), rig.anthropic.clearHits()]);
});

async function limit(name: string, scope: object, amounts: object): Promise<string> {
  const { status, json, text } = await call("POST", "/limits", { name, scope, ...amounts });
  expect(status, text).toBe(201);
  return json.id;
}

const ask = (headers: object, body = askFor(5)) => postChat(url, body, { ...headers });

/** Starts a stream and resolves when its first bytes are there; aborting it is a client that leaves. */
async function startStream(headers: object, tokens = 400) {
  const abort = new AbortController();
  const body = askFor(tokens, { stream: true }, "[[sim:pace=20]]");
  const response = await postChat(url, body, { ...headers }, abort.signal);
  const reader = response.body?.getReader();
  await reader?.read();
  return {
    response,
    leave: () => abort.abort(),
    async end() {
      while (!(await reader?.read())?.done);
    },
  };
}

describe("requests a minute", () => {
  test("are counted for each key alone; the one too many is told when to come back", async () => {
    const [one, two] = [await makeKey(call, "one"), await makeKey(call, "two")];
    await limit("each-of-two", { key: one.id }, { requests_per_minute: 2 });
    await limit("other", { key: two.id }, { requests_per_minute: 2 });
    for (const left of ["1", "0"]) {
      const { status, headers } = await ask(one.headers);
      expect(status).toBe(200);
      expect(headers.get("x-ratelimit-limit-requests")).toBe("2");
      expect(headers.get("x-ratelimit-remaining-requests")).toBe(left);
      expect(headers.get("x-ratelimit-reset-requests")).toMatch(/^\d+(ms|s|m)/);
    }
    const refused = await ask(one.headers);
    expect(refused.status).toBe(429);
    const wait = Number(refused.headers.get("retry-after"));
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(61);
    expect(await readError(refused)).toEqual({
      message: expect.stringContaining("2 requests a minute"),
      type: expect.stringMatching(/rate_limit/),
      param: null,
      code: "limit_reached",
    });
    expect((await ask(two.headers)).status).toBe(200);
    // What was refused was never sent.
    expect((await rig.openai.generations()).length).toBe(3);
  });

  test("let exactly so many through, of many at once", async () => {
    const { id, headers } = await makeKey(call, "burst");
    await limit("burst", { key: id }, { requests_per_minute: 7 });
    const all = await Promise.all(Array.from({ length: 40 }, () => ask(headers)));
    expect(all.filter(({ status }) => status === 200).length).toBe(7);
    expect(all.filter(({ status }) => status === 429).length).toBe(33);
    expect((await rig.openai.generations()).length).toBe(7);
  });

  test("of a team are shared by its keys", async () => {
    await call("POST", "/teams", { name: "shared" });
    const [one, two] = [await makeKey(call, "t1", { team: "shared" }), await makeKey(call, "t2", { team: "shared" })];
    const id = await limit("team", { team: "shared" }, { requests_per_minute: 2 });
    expect((await ask(one.headers)).status).toBe(200);
    expect((await ask(two.headers)).status).toBe(200);
    expect((await ask(one.headers)).status).toBe(429);
    expect((await ask(two.headers)).status).toBe(429);
    await call("PATCH", `/limits/${id}`, { requests_per_minute: 3 });
    expect((await ask(two.headers)).status).toBe(200);
    expect((await ask(two.headers)).status).toBe(429);
    await call("DELETE", `/limits/${id}`);
    expect((await ask(one.headers)).status).toBe(200);
  });

  test("for each key by `*` are nobody's together", async () => {
    const id = await limit("each", { key: "*" }, { requests_per_minute: 1 });
    for (const name of ["star-1", "star-2"]) {
      const { headers } = await makeKey(call, name);
      expect((await ask(headers)).status).toBe(200);
      expect((await ask(headers)).status).toBe(429);
    }
    await call("DELETE", `/limits/${id}`);
  });
});

describe("tokens a minute", () => {
  test("count what the answers really used, prompt included", async () => {
    const { id, headers } = await makeKey(call, "tokens");
    const body = askFor(60, { max_tokens: 60 });
    const used = inputTokens(body) + 60;
    const most = 2 * used + 5;
    await limit("tokens", { key: id }, { tokens_per_minute: most });
    expect((await ask(headers, body)).status).toBe(200);
    const second = await ask(headers, body);
    expect(second.status).toBe(200);
    expect(second.headers.get("x-ratelimit-limit-tokens")).toBe(String(most));
    // What the first one used, and what the second one is foreseen to use: at most what both used.
    const remaining = Number(second.headers.get("x-ratelimit-remaining-tokens"));
    expect(remaining).toBeGreaterThanOrEqual(most - 2 * used);
    expect(remaining).toBeLessThan(most - used);
    // Five tokens are left, which the shortest prompt does not fit in.
    const refused = await ask(headers, askFor(1, { max_tokens: 1 }));
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    expect((await readError(refused)).message).toContain(`${most} tokens a minute`);
    expect((await readError(await ask(headers, body))).message).toContain(`${2 * used} count now`);
  });
});

describe("requests at one time", () => {
  test("the official client waits as long as it is told, and is served then", async () => {
    const { id, key, headers } = await makeKey(call, "patient");
    await limit("patient", { key: id }, { concurrency: 1 });
    const running = await startStream(headers, 30);
    const startedMs = performance.now();
    const waiting = openaiClient(url, { apiKey: key, maxRetries: 3 }).chat.completions.create({
      model: openaiModel,
      messages: [{ role: "user", content: "[[sim:tokens=3]]" }],
    });
    await running.end();
    expect((await waiting).usage?.completion_tokens).toBe(3);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(950);
    expect((await rig.openai.generations()).length).toBe(2);
  });

  test("end when the client leaves", async () => {
    const { id, headers } = await makeKey(call, "leaver");
    await limit("leaver", { key: id }, { concurrency: 1 });
    const running = await startStream(headers);
    const refused = await ask(headers);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    running.leave();
    await expect.poll(async () => (await ask(headers)).status, { timeout: 5_000 }).toBe(200);
  });

  test("end when the upstream breaks off", async () => {
    const { id, headers } = await makeKey(call, "broken");
    await limit("broken", { key: id }, { concurrency: 1 });
    await rig.openai.setFault({ spec: "cut=1200", times: 1 });
    await (await ask(headers, askFor(200, { stream: true }))).text();
    await expect.poll(async () => (await ask(headers)).status).toBe(200);
  });

  test("of a team are shared by its keys", async () => {
    await call("POST", "/teams", { name: "narrow" });
    const [one, two] = [await makeKey(call, "n1", { team: "narrow" }), await makeKey(call, "n2", { team: "narrow" })];
    await limit("narrow", { team: "narrow" }, { concurrency: 1 });
    const running = await startStream(one.headers, 15);
    expect((await ask(two.headers)).status).toBe(429);
    await running.end();
    await expect.poll(async () => (await ask(two.headers)).status).toBe(200);
  });
});

describe("an upstream's limit", () => {
  let headers: object;
  beforeAll(async () => {
    headers = (await makeKey(call, "any")).headers;
  });

  test("of requests sends what is over to the next target, and says so", async () => {
    const id = await limit("openai", { upstream: "openai" }, { requests_per_minute: 2 });
    const answers = [await ask(headers), await ask(headers), await ask(headers)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const upstreams = answers.map((answer) => answer.headers.get("x-router-target")?.split("/")[0]);
    expect(upstreams).toEqual(["openai", "openai", "anthropic"]);
    expect(answers[2]?.headers.get("x-router-fallback")).toBe(`openai/${openaiModel};upstream_limit`);
    // Only a client's own limits are told to it.
    expect(answers[0]?.headers.get("x-ratelimit-limit-requests")).toBeNull();
    expect((await rig.openai.generations()).length).toBe(2);
    await call("DELETE", `/limits/${id}`);
  });

  test("of running requests does too, until one ends", async () => {
    const id = await limit("openai-running", { upstream: "openai" }, { concurrency: 1 });
    const running = await startStream(headers, 60);
    expect(running.response.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
    expect((await ask(headers)).headers.get("x-router-target")).toMatch(/^anthropic\//);
    running.leave();
    await expect
      .poll(async () => (await ask(headers)).headers.get("x-router-target"), { timeout: 5_000 })
      .toBe(`openai/${openaiModel}`);
    await call("DELETE", `/limits/${id}`);
  });

  test("answers 429 where no other target may serve", async () => {
    const limits = [
      await limit("o", { upstream: "openai" }, { tokens_per_minute: 1 }),
      await limit("a", { upstream: "anthropic" }, { tokens_per_minute: 1 }),
      await limit("v", { upstream: "vllm" }, { tokens_per_minute: 1 }),
    ];
    const refused = await ask(headers);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
    for (const id of limits) await call("DELETE", `/limits/${id}`);
  });
});
