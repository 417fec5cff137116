import { expect, test } from "bun:test";
import { gateway } from "../../test/fixtures/memory-gateway.ts";
import { completion } from "../../test/fixtures/scripted-transport.ts";
import { anonymous } from "../core/principal.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { PrometheusSink } from "../sinks/prometheus/prometheus-sink.ts";
import { BodyMemory } from "./body-memory.ts";
import { dataPlane } from "./data-plane.ts";

const known = "fl-known";
const keys: KeyStore = {
  open: false,
  decided: true,
  anonymous: false,
  find: (key) => (key === known ? { ...anonymous, kind: "virtual-key", keyId: "k" } : undefined),
};

/** Who may use each route. A new route without a row fails the first test. */
const routes: Readonly<Record<string, "key" | "everyone">> = {
  "POST /v1/chat/completions": "key",
  "POST /v1/route": "key",
  "GET /v1/decisions/:id": "key",
  "GET /v1/models": "key",
  "GET /health": "everyone",
  "GET /health/ready": "everyone",
  "GET /health/upstreams": "everyone",
  "GET /metrics": "everyone",
};

function app(maxBufferedBytes = 100_000) {
  const { deps, clock } = gateway({ local: [completion("hi")] }, { keys });
  return dataPlane({
    chat: () => deps,
    clock,
    randomness: deps.randomness,
    limits: () => ({ maxBodyBytes: 10_000, bodyTimeoutMs: 1_000 }),
    bodies: new BodyMemory(maxBufferedBytes),
    metrics: new PrometheusSink(),
    admin: undefined,
    draining: () => false,
    track: () => {},
  });
}

test("every route says who may use it", () => {
  const served = app().routes.map(({ method, path }) => `${method} ${path}`);
  expect(served.sort()).toEqual(Object.keys(routes).sort());
});

test("a question about a route that finds no room may come again", async () => {
  const headers = { "content-length": "20", authorization: `Bearer ${known}` };
  const request = new Request("http://gateway/v1/route", { method: "POST", headers, body: " ".repeat(20) });
  const response = await app(10).fetch(request, { address: () => undefined, rest: () => {} });
  expect(response.status).toBe(503);
  expect(response.headers.get("x-should-retry")).toBe("true");
  expect(response.headers.get("retry-after")).toBe("1");
});

const callers = {
  nobody: undefined,
  "a stranger's key": "fl-stranger",
  "an admin's token": "fla-owner",
  "a key": known,
};

for (const [route, who] of Object.entries(routes)) {
  test.each(Object.entries(callers))(`${route} with %s`, async (_, key) => {
    const [method = "", path = ""] = route.split(" ");
    const body = JSON.stringify({ model: "local", messages: [{ role: "user", content: "hi" }] });
    const response = await app().fetch(
      new Request(`http://gateway${path}`, {
        method,
        headers: {
          "content-type": "application/json",
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        ...(method === "POST" ? { body } : {}),
      }),
      { address: () => undefined, rest: () => {} },
    );
    const admitted = path.includes(":id") ? 404 : 200;
    expect(response.status).toBe(who === "everyone" || key === known ? admitted : 401);
    await response.text();
  });
}
