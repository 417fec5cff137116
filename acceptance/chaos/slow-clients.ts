import { seededRandom } from "../../packages/simulator/src/seeded-random.ts";
import { operator } from "../setup/admin.ts";
import { Child } from "../setup/child-process.ts";
import { budgetNamed } from "../setup/money.ts";
import { RawSocket } from "../setup/raw-socket.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { ask, numberedWords } from "./ask.ts";
import { expectNoLeak, footprint } from "./footprint.ts";
import { inLanes } from "./in-lanes.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

const text = numberedWords(40);
const answerTokens = text.length / 4;
const paceMs = 50;
/** How soon an upstream hears that its client left, on a machine that does much else. */
const noticeMs = 700;
/** Far more than buffers between an upstream and a client take. */
const longTokens = 200_000;

/** Clients that leave at any moment, read a byte a second or nothing at all, and send their body as slowly. */
export async function slowClients(stage: Stage): Promise<void> {
  const local = await stage.simulator("--flavour", "vllm", "--model", "chat");
  const cloud = await stage.simulator("--flavour", "anthropic", "--model", "claude-sonnet-4-6");
  const dir = tempDir();
  const gateway = await stage.gateway({
    storage: { dir },
    server: { clientStallMs: 2_000, bodyTimeoutMs: 1_000, keepAliveMs: 500 },
    upstreams: {
      local: { preset: "vllm", baseUrl: `${local.url}/v1`, health: false, models: [{ id: "chat" }] },
      cloud: { preset: "anthropic", baseUrl: `${cloud.url}/v1`, health: false, models: [{ id: "claude-sonnet-4-6" }] },
    },
    routing: { fallback: [] },
    pricing: { overrides: [{ model: "chat", input: 1, output: 1 }] },
    budgets: { all: { scope: "total", limitUsd: 1_000 } },
  });
  const models = ["local/chat", "cloud/claude-sonnet-4-6"];
  for (const model of models) stage.count(await ask(gateway.url, { model, stream: true, text }), model);
  const start = await footprint(gateway);

  const stayedMs = await leaveAnywhere(stage, gateway.url, models);
  // Nobody works for a client that left.
  for (const upstream of [local, cloud]) {
    await until("the end of all work upstream", async () => (await upstream.hits({ ended: false })).length === 0);
    for (const { body, aborted, abortedAt, startedAt } of await upstream.generations()) {
      const number = /client (\d{6})/.exec(JSON.stringify(body))?.[1];
      const ms = stayedMs.get(number ?? "");
      if (ms === undefined) continue;
      const workedMs = (abortedAt ?? Number.POSITIVE_INFINITY) - startedAt;
      const isSoon = aborted && workedMs <= ms + noticeMs;
      stage.expect(isSoon, `a client left after ${Math.round(ms)} ms, its answer was worked on for ${workedMs} ms`);
    }
  }

  const readers = [
    ...models.map((model) => stopReading(stage, gateway.url, model)),
    ...models.map((model) => readSlowly(stage, gateway.url, model)),
  ];
  readers.push(...Array.from({ length: stage.pick(2, 10) }, () => slowBody(stage, gateway.url)));
  // Others are served as ever meanwhile.
  for (let i = 0; i < stage.pick(10, 100); i++) {
    const seen = await ask(gateway.url, { model: models[i % 2] ?? "", stream: i % 3 !== 0, text });
    stage.count(seen, "beside slow clients");
    stage.expect(seen.end === "answered", `beside slow clients: ${seen.label}`);
  }
  await Promise.all(readers);
  for (const upstream of [local, cloud]) {
    await until("the end of all work upstream", async () => (await upstream.hits({ ended: false })).length === 0);
    // Kernels take some megabytes on both ways before anybody notices.
    const unread = (await upstream.generations()).filter(({ tokensProduced }) => tokensProduced >= longTokens);
    stage.expect(unread.length === 0, `${unread.length} answers that nobody read were made to their end`);
  }
  const call = operator(gateway, dir);
  await until("nothing to be held for anyone", async () => (await budgetNamed(call, "all")).held === 0);
  await expectNoLeak(stage, gateway, start);
}

/** Asks for answers of some seconds and leaves before headers, or in the middle; how long each client stayed, by its number. */
async function leaveAnywhere(stage: Stage, url: string, models: readonly string[]): Promise<Map<string, number>> {
  const random = seededRandom("who leaves when");
  const stayedMs = new Map<string, number>();
  const all = Array.from({ length: stage.pick(40, 400) }, (_, i) => ({
    number: String(i).padStart(6, "0"),
    model: models[i % 2] ?? "",
    stream: i % 4 < 3,
    afterMs: (random() ** 2 * answerTokens * paceMs) / 3,
  }));
  await inLanes(all, stage.pick(20, 60), async ({ number, model, stream, afterMs }) => {
    const leave = new AbortController();
    const prompt = `[[sim:text=${text}]][[sim:pace=${paceMs}]] client ${number}`;
    const timer = setTimeout(() => leave.abort(), afterMs);
    const seen = await ask(url, { model, stream, text, prompt, leave: leave.signal });
    clearTimeout(timer);
    stayedMs.set(number, seen.ms);
    stage.count(seen, "a client that leaves");
    stage.expect(seen.end === "left", `a client that leaves: ${seen.label}`);
  });
  return stayedMs;
}

const longRequest = (model: string): string => {
  const content = `[[sim:tokens=${longTokens}]]`;
  const body = JSON.stringify({ model, stream: true, messages: [{ role: "user", content }] });
  const head = "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json";
  return `${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

/** Reads the beginning of a long stream and then nothing; it is let go, and what it may still read is no clean end. */
async function stopReading(stage: Stage, gateway: string, model: string): Promise<void> {
  const socket = new RawSocket(gateway);
  socket.write(longRequest(model));
  await socket.until(/"content":"\w/);
  socket.socket.pause();
  await until("the end of a client that stops reading", async () => (await inFlight(gateway, model)) === 0, 20_000);
  let end = "";
  socket.socket.removeAllListeners("data").on("data", (piece: string) => {
    end = (end + piece).slice(-10_000);
  });
  socket.socket.resume();
  await until("the end of the connection", () => socket.socket.destroyed, 5_000).catch(() => {});
  stage.counts.sent++;
  stage.counts.failed++;
  stage.expect(!end.includes("[DONE]"), "a client that stopped reading took a part for the whole");
  socket.destroy();
}

/** Reads one byte a second, by a program that asks the kernel for no more. */
async function readSlowly(stage: Stage, gateway: string, model: string): Promise<void> {
  const { hostname, port } = new URL(gateway);
  const script = `exec 3<>/dev/tcp/${hostname}/${port}; printf %s "$REQUEST" >&3
while [ "$(dd bs=1 count=1 <&3 2>/dev/null | wc -c)" = 1 ]; do sleep 1; done`;
  const child = new Child("bash", ["-c", script], { env: { REQUEST: longRequest(model) } });
  stage.onEnd(() => child.stop());
  await until("a client that reads slowly", async () => (await inFlight(gateway, model)) > 0);
  await until("its end", async () => (await inFlight(gateway, model)) === 0, 20_000);
  stage.counts.sent++;
  stage.counts.failed++;
  await child.stop();
}

/** Requests that a model's upstream works on, as the gateway sees it. */
async function inFlight(url: string, model: string): Promise<number> {
  const body = (await (await fetch(`${url}/health/upstreams`)).json()) as {
    upstreams: { name: string; models: { in_flight: number }[] }[];
  };
  const upstream = body.upstreams.find(({ name }) => model.startsWith(`${name}/`));
  return upstream?.models.reduce((sum, one) => sum + one.in_flight, 0) ?? Number.NaN;
}

/** Sends its body a byte at a time, and is told that this took too long. */
async function slowBody(stage: Stage, url: string): Promise<void> {
  const socket = new RawSocket(url);
  socket.write(
    "POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
  );
  const drip = setInterval(() => socket.write(" "), 200);
  const answer = await socket.until(/"code":"request_timeout"/, 15_000).catch(() => "");
  clearInterval(drip);
  stage.counts.sent++;
  stage.counts[answer.includes("request_timeout") ? "failed" : "lost"]++;
  stage.expect(/^HTTP\/1\.1 408/.test(answer), `a slow body: ${JSON.stringify(answer.slice(0, 100))}`);
  socket.destroy();
}
