import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { afterAll, describe, expect, test, vi } from "vitest";
import { operator } from "../setup/admin.ts";
import { postChat, readError, say } from "../setup/clients.ts";
import { freePort } from "../setup/free-port.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { startKubernetesApi } from "../setup/kubernetes-api.ts";
import { testWith } from "../setup/requires.ts";
import { hasOpenssl, selfSigned } from "../setup/self-signed.ts";
import { type SimulatorProcess, startSimulator } from "../setup/simulator-process.ts";
import { tempDir, tempFile } from "../setup/temp-dir.ts";
import { untilUpstream, upstreamStates } from "../setup/upstream-states.ts";

const model = "small";

interface Model {
  readonly id: string;
  readonly readiness: string;
  readonly since: string | null;
  readonly demand: number;
  readonly cold_start_ms: number | null;
}

const modelOf = async (url: string, name = "gpu"): Promise<Model> =>
  (await upstreamStates(url)).find((upstream) => upstream.name === name)?.models[0] as unknown as Model;

const untilModel = (url: string, wanted: (model: Model) => boolean, name = "gpu"): Promise<Model> =>
  vi.waitFor(
    async () => {
      const state = await modelOf(url, name);
      if (!wanted(state)) throw new Error(JSON.stringify(state));
      return state;
    },
    { interval: 25, timeout: 8_000 },
  );

const demandOf = async (url: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^llm_router_demand\\{model="${model}"\\} (\\S+)$`, "m").exec(text)?.[1]);
};

const calls = async (simulator: SimulatorProcess, path: string) =>
  (await simulator.hits()).filter((hit) => hit.method === "POST" && hit.path === path);

interface Options {
  readonly wake: UpstreamConfigInput["wake"];
  readonly gpu: Partial<UpstreamConfigInput>;
  readonly cloud?: SimulatorProcess | undefined;
  readonly config?: Omit<FairleadConfigInput, "upstreams">;
  readonly env?: Readonly<Record<string, string>>;
}

/** A gateway before one self-hosted model that can be woken, and cloud where one is given. */
function gatewayWith({ wake, gpu, cloud, config, env = {} }: Options): Promise<GatewayProcess> {
  const local = { models: [{ id: model }], health: { intervalMs: 100 }, ...gpu, ...(wake && { wake }) };
  const upstreams: Record<string, UpstreamConfigInput> = { gpu: local as UpstreamConfigInput };
  if (cloud !== undefined) {
    upstreams["cloud"] = {
      protocol: "openai-chat",
      placement: "cloud",
      baseUrl: `${cloud.url}/v1`,
      models: [{ id: "big" }],
    };
  }
  return startGateway({ config: { routing: { retriesPerTarget: 0 }, ...config, upstreams }, env });
}

async function ask(url: string, more: Readonly<Record<string, unknown>> = {}, headers: Record<string, string> = {}) {
  const response = await postChat(url, say("[[sim:tokens=3]]", { model, ...more }), headers);
  const text = await response.text();
  return {
    status: response.status,
    target: response.headers.get("x-router-target"),
    reason: response.headers.get("x-router-reason"),
    fallback: response.headers.get("x-router-fallback"),
    retryAfter: response.headers.get("retry-after"),
    text,
  };
}

describe("vLLM that sleeps", async () => {
  const local = await startSimulator("--flavour", "vllm", "--model", model);
  const cloud = await startSimulator("--flavour", "openai", "--model", "big");
  const vllm = { preset: "vllm", baseUrl: `${local.url}/v1` } as const;
  const sleep = async (url: string, wakeMs: number) => {
    await local.reset();
    await cloud.reset();
    await local.setState({ sleeping: true, wakeMs });
    await untilModel(url, ({ readiness }) => readiness === "cold" || readiness === "failed");
  };

  test("is woken by one call however many ask; they go to cloud, are counted, and the next one is served at home", async () => {
    const { url, stop } = await gatewayWith({ wake: { type: "vllm" }, gpu: vllm, cloud });
    expect(await demandOf(url)).toBe(0);
    await sleep(url, 1_500);
    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(url)));
    expect(new Set(answers.map(({ status, target, reason }) => `${status} ${target} ${reason}`))).toEqual(
      new Set(["200 cloud/big local_cold"]),
    );
    expect(await demandOf(url)).toBe(200);
    expect(await modelOf(url)).toMatchObject({ readiness: "warming", demand: 200 });
    const warm = await untilModel(url, ({ readiness }) => readiness === "ready");
    expect(warm.cold_start_ms).toBeGreaterThan(1_000);
    expect(Date.parse(warm.since ?? "")).toBeGreaterThan(Date.now() - 10_000);
    expect(await calls(local, "/wake_up")).toHaveLength(1);
    expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small", fallback: null });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('llm_router_fallbacks_total{from="gpu",to="cloud",reason="local_cold"} 200');
    await stop();
  });

  test("is waited for as long as its patience, also by streams, and no longer", async () => {
    const wake = { type: "vllm", patienceMs: 4_000 } as const;
    const { url, stop } = await gatewayWith({ wake, gpu: vllm, cloud });
    await sleep(url, 600);
    const patient = await Promise.all([ask(url), ask(url, { stream: true })]);
    for (const answer of patient) expect(answer).toMatchObject({ status: 200, target: "gpu/small", fallback: null });
    expect(patient[1]?.text).toContain("[DONE]");
    expect(await calls(local, "/wake_up")).toHaveLength(1);
    await sleep(url, 60_000);
    const began = Date.now();
    expect(await ask(url)).toMatchObject({ status: 200, target: "cloud/big", fallback: "gpu/small;local_cold" });
    expect(Date.now() - began).toBeGreaterThan(3_800);
    await stop();
  });

  test("gets a waiting stream its headers and keep-alives meanwhile", async () => {
    const wake = { type: "vllm", patienceMs: 10_000 } as const;
    const server = { commitGraceMs: 100, keepAliveMs: 100 };
    const { url, stop } = await gatewayWith({ wake, gpu: vllm, cloud, config: { server } });
    await sleep(url, 1_500);
    const began = Date.now();
    const response = await postChat(url, say("[[sim:tokens=3]]", { model, stream: true }));
    expect(Date.now() - began).toBeLessThan(1_200);
    const text = await response.text();
    expect(text).toMatch(/^: /);
    expect(text).toContain("x-router-target gpu/small");
    expect(text).toContain("[DONE]");
    await stop();
  });

  test("is waited for by data that must not leave, and never replaced by cloud", async () => {
    const { url, stop } = await gatewayWith({ wake: { type: "vllm" }, gpu: vllm, cloud });
    await sleep(url, 700);
    const own = { "x-router-data": "local-only" };
    expect(await ask(url, {}, own)).toMatchObject({ status: 200, target: "gpu/small" });
    expect(await cloud.generations()).toEqual([]);
    await stop();
  });

  test("wakes on when one who waits leaves, and serves the others", async () => {
    const { url, stop } = await gatewayWith({ wake: { type: "vllm" }, gpu: vllm });
    await sleep(url, 1_500);
    const controller = new AbortController();
    const leaving = postChat(url, say("Hi", { model }), {}, controller.signal);
    const staying = [ask(url), ask(url)];
    await untilModel(url, ({ demand }) => demand === 3);
    controller.abort();
    await expect(leaving).rejects.toThrow();
    // Its wait is over at once, and only its own.
    await untilModel(url, ({ demand, readiness }) => demand === 2 && readiness === "warming");
    for (const answer of await Promise.all(staying)) expect(answer).toMatchObject({ status: 200, target: "gpu/small" });
    expect(await calls(local, "/wake_up")).toHaveLength(1);
    expect((await calls(local, "/v1/chat/completions")).length).toBe(2);
    await stop();
  });

  test("that does not come back has failed: an honest 503, one alert, another try later, and recovery", async () => {
    const wake = { type: "vllm", timeoutMs: 1_000, retryMs: 1_500 } as const;
    const { url, child, stop } = await gatewayWith({ wake, gpu: vllm });
    await sleep(url, 600_000);
    const answers = await Promise.all([ask(url), ask(url, { stream: true })]);
    for (const { status, text, retryAfter } of answers) {
      expect([status, JSON.parse(text).error.code]).toEqual([503, "model_loading"]);
      expect(Number(retryAfter)).toBeGreaterThan(0);
    }
    expect((await modelOf(url)).readiness).toBe("failed");
    // Not due yet: refused at once, without another call.
    const began = Date.now();
    expect((await ask(url)).status).toBe(503);
    expect(Date.now() - began).toBeLessThan(500);
    expect(await calls(local, "/wake_up")).toHaveLength(1);
    const isAlert = ({ event }: Record<string, unknown>) => event === "operator_alert";
    await child.record(isAlert, "the alert");
    expect(child.records.filter(isAlert).map(({ code }) => code)).toEqual(["model_loading"]);
    await local.setState({ sleeping: true, wakeMs: 100 });
    await vi.waitFor(async () => expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" }), {
      interval: 200,
      timeout: 6_000,
    });
    expect((await modelOf(url)).readiness).toBe("ready");
    await stop();
  });

  test("is put to sleep when nobody asks, and woken from its deep sleep in three steps", async () => {
    const wake = { type: "vllm", sleepAfterMs: 1_500, sleepLevel: 2 } as const;
    await local.reset();
    const { url, stop } = await gatewayWith({ wake, gpu: vllm });
    await untilModel(url, ({ readiness }) => readiness === "ready");
    await untilModel(url, ({ readiness }) => readiness === "cold");
    expect((await calls(local, "/sleep")).map(({ query }) => query)).toEqual(["level=2&mode=wait"]);
    expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" });
    const steps = (await local.hits())
      .filter(({ method }) => method === "POST")
      .map(({ path, query }) => `${path}?${query}`);
    expect(steps).toEqual([
      "/sleep?level=2&mode=wait",
      "/wake_up?tags=weights",
      "/collective_rpc?",
      "/wake_up?tags=kv_cache",
      "/v1/chat/completions?",
    ]);
    await stop();
  });

  test("is kept warm in its window without anybody asking", async () => {
    const keepWarm = [{ from: "00:00", to: "24:00" }];
    const { url, stop } = await gatewayWith({ wake: { type: "vllm", keepWarm, sleepAfterMs: 500 }, gpu: vllm });
    await local.reset();
    await local.setState({ sleeping: true, wakeMs: 100 });
    await local.waitForHit({ method: "POST", path: "/wake_up" });
    await untilModel(url, ({ readiness }) => readiness === "ready");
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await calls(local, "/wake_up")).toHaveLength(1);
    expect(await calls(local, "/sleep")).toEqual([]);
    await stop();
  });

  test("is left alone when an operator drains it: running requests finish, new ones never reach it", async () => {
    const dir = tempDir();
    await local.reset();
    const config = { storage: { dir } };
    const gateway = await gatewayWith({ wake: { type: "vllm" }, gpu: vllm, cloud, config });
    const { url } = gateway;
    const call = operator(gateway, dir);
    await untilModel(url, ({ readiness }) => readiness === "ready");
    const running = postChat(url, say("[[sim:ttft=800]] [[sim:tokens=3]]", { model }));
    await local.waitForHit({ method: "POST", path: "/v1/chat/completions" });
    expect(await call("POST", "/upstreams/gpu/drain")).toMatchObject({
      status: 200,
      json: { name: "gpu", drained: true },
    });
    expect((await modelOf(url)).readiness).toBe("draining");
    expect(await ask(url)).toMatchObject({ status: 200, target: "cloud/big", reason: "local_draining" });
    const own = await postChat(url, say("Hi", { model }), { "x-router-data": "local-only" });
    expect([own.status, (await readError(own)).code]).toEqual([503, "no_target_available"]);
    expect((await running).status).toBe(200);
    expect(await calls(local, "/v1/chat/completions")).toHaveLength(1);
    expect(await calls(local, "/wake_up")).toEqual([]);
    await call("POST", "/upstreams/gpu/resume");
    expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" });
    expect((await call("POST", "/upstreams/cloud/drain")).status).toBe(404);
    const { json } = await call("GET", "/audit?limit=5");
    const actions = json.data.map(({ action, subject }: { action: string; subject: string }) => `${action} ${subject}`);
    expect(actions).toEqual(expect.arrayContaining(["upstream.drained upstream:gpu", "upstream.resumed upstream:gpu"]));
    await gateway.stop();
  });
});

test("Ollama loads the model for a call of its own; without a hook it is ready as it is", async () => {
  const local = await startSimulator("--flavour", "ollama", "--model", model);
  const cloud = await startSimulator("--flavour", "openai", "--model", "big");
  const ollama = { preset: "ollama", baseUrl: `${local.url}/v1` } as const;
  await local.setState({ sleeping: true, wakeMs: 700 });
  const plain = await gatewayWith({ wake: undefined, gpu: ollama, cloud });
  await untilModel(plain.url, ({ readiness }) => readiness === "ready");
  expect(await ask(plain.url)).toMatchObject({ status: 200, target: "gpu/small" });
  await plain.stop();
  await local.setState({ sleeping: true, wakeMs: 700 });
  const { url, stop } = await gatewayWith({ wake: { type: "ollama", keepAlive: "10m" }, gpu: ollama, cloud });
  await untilModel(url, ({ readiness }) => readiness === "cold");
  expect(await ask(url)).toMatchObject({ status: 200, target: "cloud/big", reason: "local_cold" });
  await untilModel(url, ({ readiness }) => readiness === "ready");
  expect((await calls(local, "/api/generate")).map(({ body }) => body)).toEqual([
    { model, stream: false, keep_alive: "10m" },
  ]);
  expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" });
  await stop();
});

/** Starts the self-hosted server at a port that was reserved for it. */
function laterServer() {
  let started: Promise<SimulatorProcess> | undefined;
  return {
    start(port: number) {
      started ??= startSimulator("--flavour", "vllm", "--model", model, "--port", String(port));
      return started;
    },
  };
}

test("a call of one's own brings back a server that is not there, with its key, which nobody else sees", async () => {
  const port = await freePort();
  const later = laterServer();
  const seen: { method: string; key: string | undefined; body: string }[] = [];
  const caller = createServer((req, res) => {
    let body = "";
    req.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    req.on("end", () => {
      seen.push({ method: req.method ?? "", key: req.headers.authorization, body });
      res.writeHead(seen.length === 1 ? 500 : 202).end("wake-canary-7731");
      if (seen.length > 1) void later.start(port);
    });
  });
  await new Promise<void>((resolve) => caller.listen(0, "127.0.0.1", resolve));
  afterAll(() => void caller.close());
  const wake = {
    type: "http",
    url: `http://127.0.0.1:${(caller.address() as AddressInfo).port}/up`,
    key: "${WAKE_KEY}",
    body: '{"up":true}',
    retryMs: 500,
  } as const;
  const env = { WAKE_KEY: "wake-canary-7731" };
  const gpu = { preset: "vllm", baseUrl: `http://127.0.0.1:${port}/v1` } as const;
  const { url, child, stop } = await gatewayWith({ wake, gpu, env });
  await untilUpstream(url, "gpu", ({ readiness }) => readiness === "cold");
  expect((await ask(url)).status).toBe(503);
  await vi.waitFor(async () => expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" }), {
    interval: 200,
    timeout: 8_000,
  });
  const call = { method: "POST", key: "Bearer wake-canary-7731", body: '{"up":true}' };
  expect(seen).toEqual([call, call]);
  expect(child.transcript).toContain("the call was answered with status 500");
  expect(child.transcript).not.toContain("wake-canary-7731");
  await stop();
});

testWith(
  "openssl",
  hasOpenssl(),
  "Kubernetes raises a Deployment and never lowers it, with a token that rotates",
  async () => {
    const tls = selfSigned();
    const api = await startKubernetesApi(tls);
    const port = await freePort();
    const later = laterServer();
    api.replicas.set("deployments/engine", 0);
    api.changed = () => void later.start(port);
    const tokenFile = tempFile("token", "an-old-token\n");
    const wake = {
      type: "kubernetes",
      name: "engine",
      namespace: "models",
      replicas: 2,
      apiServer: api.url,
      tokenFile,
      caFile: tls.certFile,
      retryMs: 300,
    } as const;
    const gpu = { preset: "vllm", baseUrl: `http://127.0.0.1:${port}/v1` } as const;
    const { url, child, stop } = await gatewayWith({ wake, gpu });
    await untilUpstream(url, "gpu", ({ readiness }) => readiness === "cold");
    expect((await ask(url)).status).toBe(503);
    const refused = ({ message }: Record<string, unknown>) => String(message).includes("answered 401 Unauthorized");
    await child.record(refused, "the alert");
    expect(child.transcript).not.toContain("an-old-token");
    writeFileSync(tokenFile, api.token);
    // Somebody scales it higher at that very moment: it is read again, and left there.
    api.interfere = () => void api.replicas.set("deployments/engine", 5);
    const asked: Promise<unknown>[] = [];
    await vi.waitFor(
      async () => {
        asked.push(ask(url));
        expect(api.calls.map(({ status }) => status)).toContain(409);
      },
      { interval: 200, timeout: 5_000 },
    );
    expect(api.replicas.get("deployments/engine")).toBe(5);
    await later.start(port);
    expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" });
    await Promise.all(asked);
    expect(api.calls.filter(({ method, status }) => method === "PATCH" && status === 200)).toEqual([]);
    await stop();
  },
);

test.each(["StatefulSet", "ScaledObject"] as const)(
  "a %s that is scaled to zero is scaled up for one who waits",
  async (kind) => {
    const api = await startKubernetesApi();
    const port = await freePort();
    const later = laterServer();
    api.replicas.set("statefulsets/engine", 0);
    api.scaledObjects.set("engine", { annotations: { team: "a" } });
    api.changed = () => void later.start(port);
    const tokenFile = tempFile("token", api.token);
    const object = { kind, name: "engine", namespace: "models" };
    const wake = { type: "kubernetes", ...object, apiServer: api.url, tokenFile } as const;
    const gpu = { preset: "vllm", baseUrl: `http://127.0.0.1:${port}/v1` } as const;
    const { url, stop } = await gatewayWith({ wake, gpu });
    await untilUpstream(url, "gpu", ({ readiness }) => readiness === "cold");
    expect(await ask(url)).toMatchObject({ status: 200, target: "gpu/small" });
    expect(api.replicas.get("statefulsets/engine")).toBe(kind === "StatefulSet" ? 1 : 0);
    expect(api.scaledObjects.get("engine")?.annotations).toEqual({
      team: "a",
      ...(kind === "ScaledObject" && {
        "autoscaling.keda.sh/force-activation": "true",
        "fairlead/activated": "true",
      }),
    });
    expect(api.calls.map(({ method }) => method)).toEqual(["GET", "PATCH"]);
    await stop();
  },
);
