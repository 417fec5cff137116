import { readFileSync } from "node:fs";
import { APIError } from "openai";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { operator } from "../setup/admin.ts";
import { openaiClient, postChat, readError, say } from "../setup/clients.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { RawSocket } from "../setup/raw-socket.ts";
import { canaryEnv, localModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

let simulators: Upstreams;
const gateways: GatewayProcess[] = [];
const sockets: RawSocket[] = [];

beforeAll(async () => {
  simulators = await startSimulators(["--model", "big@100000000"]);
});

beforeEach(() => simulators.local.reset());

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop()));
});

async function start(server: object, dir = tempDir()): Promise<GatewayProcess> {
  const usual = usualConfig(simulators);
  const { vllm } = usual.upstreams ?? {};
  const upstreams = { vllm: { ...vllm, models: [{ id: localModel }, { id: "big", contextWindow: 100_000_000 }] } };
  const routing = { retriesPerTarget: 0 };
  const gateway = await startGateway({ config: { upstreams, routing, storage: { dir }, server }, env: canaryEnv });
  gateways.push(gateway);
  return gateway;
}

/** Asks for an answer that takes so long; the name is found again in the simulator's log. */
const ask = (
  gateway: GatewayProcess,
  name: string,
  ms: number,
  headers = {},
  signal?: AbortSignal,
): Promise<Response> =>
  postChat(
    gateway.url,
    say(`${name} [[sim:tokens=${Math.max(1, Math.round(ms / 10))}]][[sim:pace=10]]`, { model: localModel }),
    headers,
    signal,
  );

const batch = { "x-router-priority": "batch" };
const statusOf = async (answer: Promise<Response>): Promise<number> => {
  const response = await answer;
  await response.text();
  return response.status;
};

/** Names of the requests that reached the upstream, in order. */
async function reached(): Promise<string[]> {
  const hits = await simulators.local.generations();
  return hits.map(({ body }) => /"content":"(\S+) /.exec(JSON.stringify(body))?.[1] ?? "?");
}

async function metric(gateway: GatewayProcess, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const waiting = (gateway: GatewayProcess, priority = "interactive") =>
  metric(gateway, `llm_router_queue_length{priority="${priority}"}`);

/** Begins a request and resolves when it waits in the queue. */
async function enqueue(
  gateway: GatewayProcess,
  name: string,
  headers: object = {},
): Promise<{ status: Promise<number> }> {
  const priority = "x-router-priority" in headers ? "batch" : "interactive";
  const before = await waiting(gateway, priority);
  const status = statusOf(ask(gateway, name, 10, headers));
  await vi.waitFor(async () => expect(await waiting(gateway, priority)).toBe(before + 1), { interval: 5 });
  return { status };
}

describe("the queue", () => {
  test("no more than allowed run at the upstream, and the rest wait their turn", async () => {
    const gateway = await start({ maxConcurrent: 4 });
    const names = Array.from({ length: 40 }, (_, i) => `r${i}`);
    const statuses = await Promise.all(names.map((name) => statusOf(ask(gateway, name, 60))));
    expect(statuses.every((status) => status === 200)).toBe(true);
    const hits = await simulators.local.generations();
    const running = hits.map(
      ({ startedAt }) =>
        hits.filter((other) => other.startedAt <= startedAt && (other.endedAt ?? 0) > startedAt).length,
    );
    expect(Math.max(...running)).toBe(4);
    expect(await metric(gateway, "llm_router_requests_in_flight")).toBe(0);
  });

  test("first come, first served; interactive before batch", async () => {
    const gateway = await start({ maxConcurrent: 1 });
    const first = statusOf(ask(gateway, "first", 900));
    await simulators.local.waitForHit({ method: "POST" });
    const queued = [];
    for (const name of ["b1", "b2"]) queued.push(await enqueue(gateway, name, batch));
    for (const name of ["i1", "i2", "i3"]) queued.push(await enqueue(gateway, name));
    expect(await metric(gateway, "llm_router_requests_in_flight")).toBe(1);
    expect(await Promise.all([first, ...queued.map(({ status }) => status)])).toEqual(Array(6).fill(200));
    expect(await reached()).toEqual(["first", "i1", "i2", "i3", "b1", "b2"]);
  });

  test("a full one answers 503 at once, in the client's format, with when to come back", async () => {
    const gateway = await start({ maxConcurrent: 1, queue: { max: 1 } });
    const first = statusOf(ask(gateway, "first", 2_000));
    await simulators.local.waitForHit({ method: "POST" });
    const waits = await enqueue(gateway, "waits", batch);
    const chat = { model: localModel, messages: [{ role: "user" as const, content: "Hi" }] };
    const inTurn = await enqueue(gateway, "interactive");
    const startedAt = performance.now();
    const error = await openaiClient(gateway.url)
      .chat.completions.create(chat)
      .catch((thrown: unknown) => thrown);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 503, code: "overcapacity", type: "server_error" });
    const { headers } = error as APIError;
    expect(Number(headers?.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(headers?.get("x-should-retry")).toBe("true");
    // The batch request that waited gave its place to an interactive one.
    expect(await waits.status).toBe(503);
    expect(await Promise.all([first, inTurn.status])).toEqual([200, 200]);
    expect(await metric(gateway, 'llm_router_rejected_total{reason="queue_full"}')).toBe(1);
    expect(await metric(gateway, 'llm_router_rejected_total{reason="displaced"}')).toBe(1);
    expect(gateway.child.records.filter((record) => record["event"] === "operator_alert")).toEqual([]);
    expect(await statusOf(ask(gateway, "after", 10))).toBe(200);
    // A client that retries as it is told gets through.
    const load = Array.from({ length: 3 }, () =>
      openaiClient(gateway.url, { maxRetries: 4 }).chat.completions.create(chat),
    );
    expect((await Promise.all(load)).length).toBe(3);
  });

  test("waiting ends in time", async () => {
    const gateway = await start({ maxConcurrent: 1, queue: { waitMs: 300 } });
    const first = statusOf(ask(gateway, "first", 900));
    await simulators.local.waitForHit({ method: "POST" });
    const late = await ask(gateway, "late", 10);
    expect(late.status).toBe(503);
    expect((await readError(late)).message).toContain("300 ms");
    expect(await first).toBe(200);
    expect(await reached()).toEqual(["first"]);
  });

  test("a client that leaves the queue is not worked for", async () => {
    const gateway = await start({ maxConcurrent: 1 });
    const first = statusOf(ask(gateway, "first", 500));
    await simulators.local.waitForHit({ method: "POST" });
    const abort = new AbortController();
    const gone = ask(gateway, "gone", 10, {}, abort.signal).catch(() => "aborted");
    await vi.waitFor(async () => expect(await waiting(gateway)).toBe(1), { interval: 5 });
    abort.abort();
    await vi.waitFor(async () => expect(await waiting(gateway)).toBe(0), { interval: 5 });
    expect([await gone, await first]).toEqual(["aborted", 200]);
    expect(await reached()).toEqual(["first"]);
  });

  test("a gateway that ends answers those that wait", async () => {
    const gateway = await start({ maxConcurrent: 1, drainDelayMs: 50 });
    const first = statusOf(ask(gateway, "first", 400));
    await simulators.local.waitForHit({ method: "POST" });
    const queued = [await enqueue(gateway, "a"), await enqueue(gateway, "b"), await enqueue(gateway, "c", batch)];
    gateway.child.process.kill("SIGTERM");
    expect(await Promise.all([first, ...queued.map(({ status }) => status)])).toEqual([200, 200, 200, 200]);
    expect(await gateway.child.ended).toBe(0);
  });
});

test("who may ask for what: unknown priorities are named, and a batch key stays one", async () => {
  const dir = tempDir();
  const gateway = await start({}, dir);
  const wrong = await ask(gateway, "x", 10, { "x-router-priority": "urgent" });
  expect(wrong.status).toBe(400);
  expect(await readError(wrong)).toMatchObject({
    param: "X-Router-Priority",
    message: expect.stringContaining("urgent"),
  });
  const call = operator(gateway, dir);
  await call("POST", "/teams", { name: "nightly", priority: "batch" });
  const { json, status } = await call("POST", "/keys", { name: "jobs", team: "nightly" });
  expect(status).toBe(201);
  const key = { authorization: `Bearer ${json.key}` };
  expect(await statusOf(ask(gateway, "x", 10, key))).toBe(200);
  const asked = await ask(gateway, "x", 10, { ...key, "x-router-priority": "interactive" });
  expect([asked.status, (await readError(asked)).code]).toEqual([403, "key_not_allowed"]);
});

describe("bodies", () => {
  const mebi = 1_048_576;
  const rssMb = ({ child }: GatewayProcess): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1_024;

  test("many large ones together stay within their memory; the rest get 503 and may come again", async () => {
    const maxBufferedBytes = 16 * mebi;
    const gateway = await start({ maxBufferedBytes, maxBodyBytes: 4 * mebi });
    expect(await statusOf(ask(gateway, "warm", 10))).toBe(200);
    const before = rssMb(gateway);
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, rssMb(gateway));
    }, 20);
    const text = `[[sim:tokens=80]][[sim:pace=10]] ${"word ".repeat((3 * mebi) / 5)}`;
    const body = JSON.stringify(say(text, { model: "big" }));
    const statuses = await Promise.all(Array.from({ length: 40 }, () => statusOf(postChat(gateway.url, body))));
    clearInterval(watch);
    const served = statuses.filter((status) => status === 200).length;
    expect(served + statuses.filter((status) => status === 503).length).toBe(40);
    expect(served).toBeGreaterThanOrEqual(5);
    // As text, as objects and on its way to the upstream a body is in memory several times, and the collector takes its time.
    expect(peak - before).toBeLessThan((maxBufferedBytes / mebi) * 6);
    expect(await metric(gateway, "llm_router_buffered_body_bytes")).toBe(0);
    expect(await metric(gateway, 'llm_router_rejected_total{reason="body_memory"}')).toBe(40 - served);
    expect(await statusOf(postChat(gateway.url, body))).toBe(200);
  });

  test("one that drips in is cut, with its connection, and holds no slot after that", async () => {
    const gateway = await start({ maxConcurrent: 1, bodyTimeoutMs: 600 });
    for (const announced of ["content-length: 500", "content-length: 900000", "transfer-encoding: chunked"]) {
      const socket = new RawSocket(gateway.url);
      sockets.push(socket);
      socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${announced}\r\n\r\n`);
      const drip = setInterval(() => socket.write(announced.startsWith("transfer") ? "1\r\nx\r\n" : "x"), 200);
      expect(await socket.until(/request_timeout/)).toMatch(/^HTTP\/1\.1 408/);
      await vi.waitFor(() => expect(socket.socket.destroyed).toBe(true), { timeout: 1_000 });
      clearInterval(drip);
      expect(await statusOf(ask(gateway, "after", 10))).toBe(200);
    }
  });
});

describe("connections", () => {
  test("hundreds that never finish their headers keep nobody from being served", async () => {
    const gateway = await start({});
    for (let i = 0; i < 500; i++) {
      const socket = new RawSocket(gateway.url);
      sockets.push(socket);
      socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-slow: ");
    }
    const statuses = await Promise.all(Array.from({ length: 50 }, (_, i) => statusOf(ask(gateway, `r${i}`, 50))));
    expect(statuses).toEqual(Array(50).fill(200));
    expect(await metric(gateway, "llm_router_requests_in_flight")).toBe(0);
    expect(gateway.child.process.exitCode).toBeNull();
  });

  test("headers that are too many or too large are refused, and the next request is served", async () => {
    const gateway = await start({});
    const many = Array.from({ length: 250 }, (_, i) => `x-h${i}: 1\r\n`).join("");
    for (const headers of [many, `x-long: ${"y".repeat(20_000)}\r\n`]) {
      const socket = new RawSocket(gateway.url);
      sockets.push(socket);
      socket.write(`GET /health HTTP/1.1\r\nhost: x\r\n${headers}\r\n`);
      expect(await socket.until(/\r\n\r\n/)).toMatch(/^HTTP\/1\.1 431/);
    }
    expect(await statusOf(ask(gateway, "after", 10))).toBe(200);
  });
});
