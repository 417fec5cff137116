import { expect, test, vi } from "vitest";
import { dataLines, postChat, say } from "../setup/clients.ts";
import { type Rig, startRig } from "../setup/rig.ts";

/** Reads a stream until its text matches, and hands it back to be read on. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  while (!pattern.test(text)) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text;
}

async function openStream(rig: Rig, text: string) {
  const response = await postChat(rig.gateway.url, say(text, { model: "local", stream: true }));
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("no body");
  const begin = await readUntil(reader, /"content":"[^"]/);
  return { reader, begin };
}

/** 503 while draining, or nobody listens any more. */
async function notReady(url: string): Promise<boolean> {
  const status = await fetch(`${url}/health/ready`, { headers: { connection: "close" } }).then(
    (response) => response.status,
    () => "refused",
  );
  return status === 503 || status === "refused";
}

test("SIGTERM takes readiness away, lets a stream finish, and ends with 0", async () => {
  const rig = await startRig();
  const { reader, begin } = await openStream(rig, "[[sim:tokens=120]][[sim:pace=10]]");
  rig.gateway.child.process.kill("SIGTERM");
  await vi.waitFor(async () => expect(await notReady(rig.gateway.url)).toBe(true), { interval: 20, timeout: 1_000 });
  const rest = await readUntil(reader, /\[DONE\]/);
  const lines = dataLines(begin + rest);
  expect(lines.at(-1)).toBe("[DONE]");
  expect(lines.join("")).not.toContain('"error"');
  expect(await rig.gateway.child.ended).toBe(0);
  const [hit] = await rig.local.generations();
  expect(hit).toMatchObject({ aborted: false, tokensProduced: 120 });
  await expect(fetch(`${rig.gateway.url}/health`)).rejects.toThrow();
  expect(rig.gateway.child.records.filter((record) => record["event"] === "route_decision")).toHaveLength(1);
});

test("SIGTERM lets a whole answer finish", async () => {
  const rig = await startRig();
  const answer = postChat(rig.gateway.url, say("[[sim:tokens=60]][[sim:pace=10]]", { model: "local" }));
  await rig.local.waitForHit({ method: "POST" });
  rig.gateway.child.process.kill("SIGTERM");
  const response = await answer;
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ usage: { completion_tokens: 60 } });
  expect(await rig.gateway.child.ended).toBe(0);
});

test("an idle gateway ends at once, also with a kept-alive connection", async () => {
  const rig = await startRig();
  await (await postChat(rig.gateway.url, say("Hi"))).text();
  const startedAt = performance.now();
  rig.gateway.child.process.kill("SIGTERM");
  expect(await rig.gateway.child.ended).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});

test("a second signal ends it at once", async () => {
  const rig = await startRig();
  const { reader } = await openStream(rig, "[[sim:tokens=100000]][[sim:pace=20]]");
  rig.gateway.child.process.kill("SIGTERM");
  await vi.waitFor(async () => expect(await notReady(rig.gateway.url)).toBe(true), { interval: 20, timeout: 2_000 });
  const startedAt = performance.now();
  // One that comes within half a second is taken for the first one's echo, so it is said until it is heard.
  await vi.waitFor(
    () => {
      rig.gateway.child.process.kill("SIGTERM");
      expect(rig.gateway.child.process.exitCode).not.toBeNull();
    },
    { interval: 100, timeout: 2_000 },
  );
  const ending = await rig.gateway.child.ended;
  expect(ending).not.toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await reader.cancel().catch(() => {});
  await rig.local.waitForHit({ method: "POST", aborted: true });
});

test("a stream that outlives the drain deadline is cut, and the upstream's work ends", async () => {
  const rig = await startRig({ config: { server: { drainTimeoutMs: 400 } } });
  const { reader } = await openStream(rig, "[[sim:tokens=100000]][[sim:pace=20]]");
  rig.gateway.child.process.kill("SIGTERM");
  const rest = await readUntil(reader, /\[DONE\]/).catch(() => "");
  expect(rest).not.toContain("[DONE]");
  expect(await rig.gateway.child.ended).toBe(0);
  await rig.local.waitForHit({ method: "POST", aborted: true });
  // What was streamed is accounted for all the same.
  expect(rig.gateway.child.records.filter((record) => record["event"] === "route_decision")).toHaveLength(1);
});
