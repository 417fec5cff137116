import { createHash } from "node:crypto";
import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { postChat, say } from "../setup/clients.ts";
import { canaries, localModel, type Rig, startRig } from "../setup/rig.ts";

let rig: Rig;
let url: string;
let proxy: Server;
let proxied = 0;
/** Every answer the gateway gave in this file. */
const seen: string[] = [];

const clientSecret = "client-secret-5d2f9a";

beforeAll(async () => {
  proxy = createServer((socket) => {
    proxied++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("no proxy");
  const through = `http://127.0.0.1:${address.port}`;
  rig = await startRig({
    config: { logging: { level: "trace" }, routing: { retriesPerTarget: 0, breaker: { failures: 1_000 } } },
    upstreams: ({ openai }) => ({
      vllm: {
        timeouts: { firstContentMs: 400 },
        models: [
          { id: localModel, contextWindow: 32_768 },
          { id: `${localModel}+sim-fault:stall=headers`, aliases: ["local-stall"] },
          { id: `${localModel}+sim-fault:status=500`, aliases: ["local-500"] },
          { id: `${localModel}+sim-fault:status=503`, aliases: ["local-503"] },
          { id: `${localModel}+sim-fault:status=401`, aliases: ["local-401"] },
          { id: `${localModel}+sim-fault:status=404`, aliases: ["local-404"] },
          { id: `${localModel}+sim-fault:error-first`, aliases: ["local-error-first"] },
          { id: `${localModel}+sim-fault:cut=1`, aliases: ["local-cut"] },
        ],
      },
      "wrong-key": {
        placement: "cloud",
        protocol: "openai-chat",
        baseUrl: `${openai.url}/v1`,
        auth: { type: "bearer", key: "${WRONG_KEY}" },
        models: [{ id: "gpt-4o-mini", aliases: ["wrong-key-model"] }],
      },
    }),
    env: {
      WRONG_KEY: "sk-wrong-canary-9b8e7d6c",
      HTTP_PROXY: through,
      http_proxy: through,
      HTTPS_PROXY: through,
      https_proxy: through,
      ALL_PROXY: through,
    },
  });
  url = rig.gateway.url;
});

afterAll(() => {
  proxy.close();
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
});

async function send(body: Parameters<typeof postChat>[1], headers: Record<string, string> = {}) {
  const response = await postChat(url, body, { authorization: `Bearer ${clientSecret}`, ...headers });
  const text = await response.text();
  seen.push(`${response.status} ${JSON.stringify([...response.headers])} ${text}`);
  return { status: response.status, headers: response.headers, text };
}

const allHits = async () =>
  (await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.generations()))).flat();
const cloudHits = async () => [...(await rig.anthropic.generations()), ...(await rig.openai.generations())];

const models = ["local", "claude-sonnet-4-6", "openai/gpt-4o-mini"];

describe("the gateway's own fields", () => {
  const spellings: readonly [string, (model: string) => string][] = [
    [
      "as objects",
      (model) => JSON.stringify(say("Hi", { model, routing: { strategy: "auto" }, routing_strategy: "auto" })),
    ],
    ["as null", (model) => JSON.stringify(say("Hi", { model, routing: null, routing_strategy: null }))],
    [
      "with escaped letters",
      (model) =>
        `{"\\u0072outing":{"strategy":"auto"},"routing\\u005fstrategy":"auto",${JSON.stringify(say("Hi", { model })).slice(1)}`,
    ],
    [
      "twice",
      (model) =>
        `{"routing_strategy":"auto","routing_strategy":"auto",${JSON.stringify(say("Hi", { model })).slice(1)}`,
    ],
    [
      "with spaces and line breaks around them",
      (model) =>
        `{\n "routing_strategy" \t:\n "auto" ,\n ${JSON.stringify(say("Hi", { model })).slice(1, -1)} , "routing" : { } \n}`,
    ],
  ];
  for (const [how, write] of spellings) {
    test.each(models)(`${how} never reach %s`, async (model) => {
      const { status, text } = await send(write(model));
      expect(status, text).toBe(200);
      const hits = await allHits();
      expect(hits).toHaveLength(1);
      expect(Object.keys(hits[0]?.body as object)).not.toEqual(expect.arrayContaining(["routing"]));
      expect(JSON.stringify(hits[0]?.body)).not.toContain("routing");
    });
  }

  test("a name given twice is routed and sent on as the same one", async () => {
    const body = `{"model":"claude-sonnet-4-6","model":"local","messages":[{"role":"user","content":"Hi"}]}`;
    const { status, headers } = await send(body);
    expect(status).toBe(200);
    expect(headers.get("x-router-backend")).toBe("local");
    expect((await rig.local.generations()).map((hit) => hit.model)).toEqual([localModel]);
    expect(await cloudHits()).toEqual([]);
  });

  test("its headers never reach an upstream, but for the hop that stops loops", async () => {
    for (const model of models) {
      await send(say("Hi", { model }), { "x-router-strategy": "auto", cookie: "session=1", "x-api-key": clientSecret });
    }
    for (const hit of await allHits()) {
      const names = Object.keys(hit.headers).filter((name) => name.startsWith("x-router"));
      expect(names).toEqual(["x-router-hop"]);
      expect(hit.headers["cookie"]).toBeUndefined();
    }
  });
});

describe("what is to stay local", () => {
  const localOnly = { "x-router-data": "local-only" };
  const dead = ["local-stall", "local-500", "local-503", "local-401", "local-404", "local-error-first", "local-cut"];
  for (const stream of [false, true]) {
    test.each(dead)(`%s fails rather than leaving${stream ? ", streamed" : ""}`, async (model) => {
      const { status, text } = await send(say("Hi", { model, stream }), localOnly);
      // Other local models may serve; cloud may not.
      expect([200, 404, 429, 502, 503, 504], text).toContain(status);
      expect(await cloudHits()).toEqual([]);
    });
  }

  test("a cloud model asked for by name is refused", async () => {
    const { status } = await send(say("Hi", { model: "claude-sonnet-4-6" }), localOnly);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(await cloudHits()).toEqual([]);
  });

  test("a prompt that no local window holds is refused", async () => {
    await send(say("word ".repeat(60_000), { model: "auto" }), localOnly);
    expect(await cloudHits()).toEqual([]);
  });

  test("what needs a capability that no local model has is refused", async () => {
    const content = [{ type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }];
    const { status } = await send({ model: "auto", messages: [{ role: "user", content }] }, localOnly);
    expect(status).toBe(400);
    expect(await cloudHits()).toEqual([]);
  });

  test("every other value of the header is refused rather than ignored", async () => {
    for (const value of ["local only", "localonly", "true", "cloud-only", ""]) {
      const { status, text } = await send(say("Hi", { model: "claude-sonnet-4-6" }), { "x-router-data": value });
      expect(status, `${JSON.stringify(value)}: ${text}`).toBe(400);
    }
    expect(await cloudHits()).toEqual([]);
  });

  test("the strategy `self_hosted_only` keeps that promise too", async () => {
    const { status, headers } = await send(say("word ".repeat(3_000), { routing_strategy: "self_hosted_only" }));
    expect(status).toBe(200);
    expect(headers.get("x-router-backend")).toBe("local");
    const refused = await send(say("Hi", { model: "cloud", routing: { strategy: "self_hosted_only" } }));
    expect(refused.status).toBe(400);
    expect(await cloudHits()).toEqual([]);
  });
});

describe("secrets", () => {
  const digest = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex").slice(0, 8)}`;

  test("upstreams get their own key and never the client's", async () => {
    for (const model of models) await send(say("Hi", { model }), { "x-api-key": clientSecret });
    const [local] = await rig.local.generations();
    const [anthropic] = await rig.anthropic.generations();
    const [openai] = await rig.openai.generations();
    expect(local?.headers["authorization"]).toBe(digest(`Bearer ${canaries.local}`));
    expect(local?.headers["x-api-key"]).toBeUndefined();
    expect(anthropic?.headers["x-api-key"]).toBe(digest(canaries.anthropic));
    expect(anthropic?.headers["authorization"]).toBeUndefined();
    expect(openai?.headers["authorization"]).toBe(digest(`Bearer ${canaries.openai}`));
    expect(JSON.stringify(await allHits())).not.toContain(clientSecret);
  });

  test("a refused upstream key is the operator's affair: the client hears no part of it", async () => {
    await rig.anthropic.setFault({ spec: "status=401" });
    const { text } = await send(say("Hi", { model: "wrong-key-model", routing_strategy: "auto" }));
    expect(text).not.toMatch(/sk-wrong|9b8e7d6c|7d6c/);
  });

  test("no key and no prompt stands in any answer, log line, metric or health report", async () => {
    const prompt = "a-very-private-prompt-31415";
    for (const model of [...models, "local-401", "local-500", "wrong-key-model", "nobody-knows"]) {
      for (const stream of [false, true]) await send(say(prompt, { model, stream }));
    }
    await send(`{"model":"local","messages":"${prompt}"`);
    for (const path of ["/metrics", "/health/upstreams", "/v1/models"]) {
      seen.push(await (await fetch(url + path)).text());
    }
    // The log is written out at the latest when the process ends.
    await rig.gateway.stop();
    const { stdout, stderr } = rig.gateway.child;
    expect(stdout).toContain("route_decision");
    for (const secret of [...Object.values(canaries), "sk-wrong-canary-9b8e7d6c", clientSecret]) {
      expect(stdout + stderr).not.toContain(secret);
      for (const text of seen) expect(text).not.toContain(secret);
    }
    expect(stdout + stderr).not.toContain(prompt);
  });
});

test("the proxy variables of the process are not used for upstreams", () => {
  expect(seen.length).toBeGreaterThan(20);
  expect(proxied).toBe(0);
});
