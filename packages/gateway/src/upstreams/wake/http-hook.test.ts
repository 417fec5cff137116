import { afterAll, beforeEach, expect, test } from "bun:test";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import { ScriptedTransport } from "../../../test/fixtures/scripted-transport.ts";
import type { Wake } from "../../core/wake.ts";
import { Secret } from "../../lib/secret.ts";
import { callWakeHook } from "./call-wake-hook.ts";

let answer: () => Response | Promise<Response> = () => new Response();
const seen: { method: string; path: string; headers: Headers; body: string }[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    const { method, headers } = request;
    seen.push({ method, path: new URL(request.url).pathname, headers, body: await request.text() });
    return answer();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen.length = 0;
});

const target = deployment(upstream("gpu", "local"), "small");
function call(more: Partial<Wake> = {}, clock = new FakeClock()) {
  const wake = {
    type: "http",
    url: new URL("/up", server.url).href,
    method: "PUT",
    headers: { "x-site": "a" },
    key: new Secret("key-1"),
    body: '{"up":true}',
    patienceMs: 0,
    patienceAloneMs: 0,
    timeoutMs: 60_000,
    retryMs: 1_000,
    keepWarm: [],
    covers: "server",
    startsServer: true,
    sleeps: false,
    ...more,
  } as Wake;
  const transport = new ScriptedTransport({});
  return callWakeHook("wake", target, wake, new AbortController().signal, { transport, clock });
}
const messageOf = (promise: Promise<void>) => promise.then(String, ({ message }: Error) => message);

test("the call is sent as it was configured, and any 2xx is success", async () => {
  answer = () => new Response(null, { status: 204 });
  await call();
  const [{ method, path, headers, body } = { method: "", path: "", headers: new Headers(), body: "" }] = seen;
  expect([method, path, body]).toEqual(["PUT", "/up", '{"up":true}']);
  const sent = ["authorization", "x-site", "content-type"].map((name) => headers.get(name));
  expect(sent).toEqual(["Bearer key-1", "a", "application/json"]);
});

test("a redirect is no success and is not followed: the key is for this address alone", async () => {
  answer = () => new Response(null, { status: 307, headers: { location: new URL("/elsewhere", server.url).href } });
  const message = await messageOf(call());
  expect(message).toBe("The wake hook of `gpu/small` failed: the call was answered with status 307.");
  expect(seen.map(({ path }) => path)).toEqual(["/up"]);
});

test("a call that gets no answer ends after half a minute", async () => {
  answer = () => new Promise<Response>(() => {});
  const clock = new FakeClock();
  const message = messageOf(call({}, clock));
  await clock.advance(29_999);
  expect(clock.waiting).toBe(1);
  await clock.advance(1);
  expect(await message).toBe("The wake hook of `gpu/small` failed: no answer came in time.");
  expect(clock.waiting).toBe(0);
});

test("an answer without end is not read to its end", async () => {
  const piece = new Uint8Array(65_536);
  answer = () => new Response(new ReadableStream({ pull: (controller) => controller.enqueue(piece) }));
  await call();
});
