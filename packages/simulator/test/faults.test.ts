import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { controlClient } from "../src/control-client.ts";
import { type Simulator, startSimulator } from "../src/start-simulator.ts";

const MODEL = "m";
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator({ flavour: "vllm", models: [{ id: MODEL }] });
});
afterEach(() => controlClient(simulator.url).reset());
afterAll(() => simulator.stop());

interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly text: string;
  readonly broken: boolean;
}

/** Sends one request and reads every byte that arrives, also from a broken connection. */
async function send(spec: string, stream: boolean, signal?: AbortSignal): Promise<Seen> {
  const response = await fetch(`${simulator.url}/v1/chat/completions`, {
    method: "POST",
    redirect: "manual",
    decompress: false,
    headers: { "content-type": "application/json", "x-sim-fault": spec },
    body: JSON.stringify({ model: MODEL, stream, messages: [{ role: "user", content: "[[sim:tokens=30]]" }] }),
    ...(signal === undefined ? {} : { signal }),
  });
  const chunks: Uint8Array[] = [];
  let broken = false;
  try {
    for await (const chunk of response.body ?? []) chunks.push(chunk);
  } catch {
    broken = true;
  }
  const bytes = Buffer.concat(chunks);
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString("utf8"), broken };
}

describe("faults", () => {
  test.each([
    ["vllm", 429],
    ["openai", 429],
    ["llamacpp", 503],
    ["ollama", 500],
    ["openai", 401],
  ] as const)("%s fails with %d and a hint", async (flavour, status) => {
    const other = await startSimulator({ flavour, models: [{ id: MODEL }] });
    const client = new OpenAI({ baseURL: `${other.url}/v1`, apiKey: "k", maxRetries: 0 });
    other.setFault({ spec: `status=${status};retry-after=3`, times: 1 });
    const request = { model: MODEL, messages: [{ role: "user" as const, content: "x" }] };
    const error = await client.chat.completions.create(request).then(
      () => null,
      (reason: unknown) => reason as InstanceType<typeof OpenAI.APIError>,
    );
    expect(error?.status).toBe(status);
    expect(error?.headers?.get("retry-after")).toBe("3");
    expect((await client.chat.completions.create(request)).choices).toBeArrayOfSize(1);
    await other.stop();
  });

  test.each([
    [true, 0],
    [true, 200],
    [false, 0],
    [false, 100],
  ])("cuts the connection (stream %p) after exactly %d bytes", async (stream, at) => {
    const seen = await send(`cut=${at}`, stream).catch(() => null);
    if (seen === null) expect(at).toBe(0);
    else expect([seen.broken, seen.bytes.length]).toEqual([true, at]);
    expect(simulator.hits().at(-1)).toMatchObject({ aborted: false, bytesSent: at });
  });

  test("ends without [DONE] or without a finish, cleanly", async () => {
    const noDone = await send("no-done", true);
    expect([noDone.broken, noDone.text.includes("[DONE]"), noDone.text.includes('"finish_reason":"stop"')]).toEqual([
      false,
      false,
      true,
    ]);
    const noFinish = await send("no-finish", true);
    expect([
      noFinish.broken,
      noFinish.text.includes("[DONE]"),
      noFinish.text.includes('"finish_reason":"stop"'),
    ]).toEqual([false, false, false]);
  });

  test("sends errors first and in the middle, as vLLM does", async () => {
    const first = await send("error-first", true);
    expect(first.text).toStartWith('data: {"error":');
    expect(first.text).toEndWith("data: [DONE]\n\n");
    const mid = await send("error-mid", true);
    expect(mid.text.match(/"content":"[^"]/g)?.length).toBe(15);
    expect(mid.text).toContain('data: {"error":');
  });

  test("bends the bytes: gzip, one byte at a time, CRLF, comments, malformed", async () => {
    const plain = await send("", true);
    const normal = (text: string) => text.replace(/"id":"[^"]+"|"created":\d+/g, "");
    const zipped = await send("gzip", true);
    expect(zipped.headers.get("content-encoding")).toBe("gzip");
    expect(
      normal(Bun.gunzipSync(new Uint8Array(zipped.bytes)).reduce((text, byte) => text + String.fromCharCode(byte), "")),
    ).toBe(normal(plain.text));
    expect(normal((await send("one-byte", true)).text)).toBe(normal(plain.text));
    expect(normal((await send("crlf", true)).text)).toBe(normal(plain.text).replaceAll("\n", "\r\n"));
    expect((await send("comments", true)).text).toContain(": keep-alive\n\ndata: ");
    expect((await send("malformed", true)).text).toContain('data: {"id":"broken\n\n');
    const half = await send("malformed", false);
    expect(() => JSON.parse(half.text)).toThrow();
  });

  test("answers HTML, nothing, a redirect, and something huge", async () => {
    expect((await send("html", false)).headers.get("content-type")).toBe("text/html");
    expect((await send("empty", false)).bytes.length).toBe(0);
    const redirected = await send("redirect=http://127.0.0.1:9/x", false);
    expect([redirected.status, redirected.headers.get("location")]).toEqual([307, "http://127.0.0.1:9/x"]);
    expect((await send("huge=2", false)).bytes.length).toBeGreaterThan(2 * 1024 * 1024);
    expect((await send("huge=2", true)).bytes.length).toBeGreaterThan(2 * 1024 * 1024);
  });

  test.each(["headers", "first-token", "mid"])("stalls at %s until the client leaves", async (point) => {
    const control = controlClient(simulator.url);
    for (const stream of [true, false]) {
      await control.clearHits();
      const leave = new AbortController();
      const call = send(`stall=${point}`, stream, leave.signal).catch(() => null);
      const begun = await control.waitForHit({
        path: "/v1/chat/completions",
        ...(point === "mid" ? { answering: true } : {}),
      });
      expect(begun.endedAt).toBeNull();
      leave.abort();
      await call;
      const hit = await control.waitForHit({ aborted: true, ended: true });
      expect(hit.status).toBe(point === "headers" ? null : 200);
    }
  });

  test("stalls in the middle of a one-token answer too", async () => {
    const leave = new AbortController();
    const call = fetch(`${simulator.url}/v1/chat/completions`, {
      method: "POST",
      signal: leave.signal,
      body: JSON.stringify({
        model: "sim-fault:stall=mid",
        stream: true,
        messages: [{ role: "user", content: "[[sim:text=hi]]" }],
      }),
    });
    const body = (await call).text().catch(() => "left");
    await simulator.waitForHit((hit) => hit.firstByteAt !== null, 2_000);
    leave.abort();
    expect(await body).toBe("left");
    expect((await simulator.waitForHit((hit) => hit.aborted, 2_000)).model).toBe("sim-fault:stall=mid");
  });

  test("queues behind slots and shows it in the metrics", async () => {
    simulator.setState({ slots: 1 });
    const leave = new AbortController();
    const first = send("stall=first-token", true, leave.signal).catch(() => null);
    await simulator.waitForHit((hit) => hit.status === 200 && hit.endedAt === null, 2_000);
    const second = send("", true);
    await until(async () => (await metrics()).includes('num_requests_waiting{engine="0",model_name="m"} 1.0'));
    leave.abort();
    await first;
    expect((await second).text).toContain("[DONE]");
    expect(await metrics()).toContain('num_requests_running{engine="0",model_name="m"} 0.0');
  });

  test("is cold, then ready; unhealthy, then healthy", async () => {
    simulator.setCold(60_000);
    expect((await fetch(`${simulator.url}/health`)).status).toBe(503);
    expect((await send("", false)).status).toBe(503);
    simulator.setCold(0);
    expect((await send("", false)).status).toBe(200);
    simulator.setHealthy(false);
    expect((await fetch(`${simulator.url}/health`)).status).toBe(503);
    simulator.setHealthy(true);
    const health = await fetch(`${simulator.url}/health`);
    expect([health.status, await health.text()]).toEqual([200, ""]);
  });

  test("takes faults by model name and by rule, and refuses unknown ones", async () => {
    const client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "k", maxRetries: 0 });
    const ask = (model: string) =>
      client.chat.completions.create({ model, messages: [{ role: "user", content: "x" }] }).then(
        () => 200,
        (error: { status: number }) => error.status,
      );
    expect(await ask("sim-fault:status=503")).toBe(503);
    expect(await ask("m+sim-fault:crlf")).toBe(200);
    expect(await ask("sim-fault:nonsense")).toBe(400);
    const control = controlClient(simulator.url);
    await control.setFault([{ spec: "status=500", times: 2, skip: 1, model: "m" }]);
    expect([await ask("m"), await ask("m"), await ask("m"), await ask("m")]).toEqual([200, 500, 500, 200]);
    expect(control.setFault({ spec: "status=x" })).rejects.toThrow("status must be");
  });

  test("checks expectations and records the differences", async () => {
    const control = controlClient(simulator.url);
    await control.setExpect({
      headers: { "x-team": "blue", "x-leak": "$absent" },
      body: { model: "m", temperature: "$absent", messages: [{ role: "user" }] },
    });
    const ask = (headers: Record<string, string>, extra: object) =>
      fetch(`${simulator.url}/v1/chat/completions`, {
        method: "POST",
        headers,
        body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "x" }], ...extra }),
      });
    expect((await ask({ "x-team": "blue" }, {})).status).toBe(200);
    const bad = await ask({ "x-leak": "1" }, { temperature: 1 });
    expect(bad.status).toBe(400);
    expect(
      ((await bad.json()) as { error: { differences: { at: string }[] } }).error.differences.map((one) => one.at),
    ).toEqual(["headers.x-team", "headers.x-leak", "body.temperature"]);
    expect((await control.waitForHit({ status: 400, ended: true })).differences).toBeArrayOfSize(3);
  });
});

async function metrics(): Promise<string> {
  return await (await fetch(`${simulator.url}/metrics`)).text();
}

/** Repeats a request to the simulator until its answer holds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) if (await holds()) return;
  throw new Error("never became true");
}
