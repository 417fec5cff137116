import { beforeAll, describe, expect, test } from "vitest";
import { openaiClient, postChat, readError, say } from "../setup/clients.ts";
import { spawnGateway, startGateway } from "../setup/gateway-process.ts";
import { canaryEnv, type Rig, startRig, usualConfig } from "../setup/rig.ts";

const key = "a-shared-key-of-this-gateway";
let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({ config: { auth: { key: "${GATEWAY_KEY}" } }, env: { GATEWAY_KEY: key } });
  url = rig.gateway.url;
});

describe("with a shared key", () => {
  const good: readonly [string, Record<string, string>][] = [
    ["as a bearer token", { authorization: `Bearer ${key}` }],
    ["as a bearer token in small letters", { authorization: `bearer ${key}` }],
    ["in x-api-key", { "x-api-key": key }],
  ];
  test.each(good)("the key is accepted %s", async (_, headers) => {
    expect((await postChat(url, say("Hi"), headers)).status).toBe(200);
    expect((await fetch(`${url}/v1/models`, { headers })).status).toBe(200);
  });

  test("the official client is let in", async () => {
    const { data } = await openaiClient(url, { apiKey: key }).models.list();
    expect(data.length).toBeGreaterThan(3);
  });

  const bad: readonly [string, Record<string, string>][] = [
    ["no key", {}],
    ["an empty key", { authorization: "Bearer " }],
    ["a wrong key", { authorization: "Bearer wrong" }],
    ["the start of the key", { authorization: `Bearer ${key.slice(0, -1)}` }],
    ["the key with something behind it", { "x-api-key": `${key}x` }],
    ["the key under another scheme", { authorization: `Basic ${key}` }],
    ["a very long key", { "x-api-key": "k".repeat(7_000) }],
  ];
  test.each(bad)("%s is a 401 in OpenAI's shape", async (_, headers) => {
    for (const response of [await postChat(url, say("Hi"), headers), await fetch(`${url}/v1/models`, { headers })]) {
      expect(response.status).toBe(401);
      const error = await readError(response);
      expect(error).toMatchObject({ type: "authentication_error", code: "invalid_api_key", param: null });
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(response.headers.get("x-router-decision-id")).toBeTruthy();
      expect(response.headers.get("x-router-backend")).toBeNull();
      expect(JSON.stringify(error)).not.toContain(key);
    }
  });

  test("a stranger's body is not even read", async () => {
    const response = await postChat(url, "{broken");
    expect(response.status).toBe(401);
    expect(await rig.local.generations().then((hits) => hits.filter((hit) => hit.body === null))).toEqual([]);
  });

  test("the health routes stay open for probes", async () => {
    for (const path of ["/health", "/health/ready"]) expect((await fetch(url + path)).status).toBe(200);
  });
});

test("without a key on loopback any key or none is accepted", async () => {
  const gateway = await startGateway({ config: usualConfig(rig), env: canaryEnv });
  const anyKey = [{}, { authorization: "Bearer whatever" }, { "x-api-key": "whatever" }];
  for (const headers of anyKey) expect((await postChat(gateway.url, say("Hi"), headers)).status).toBe(200);
});

describe("an address that others can reach", () => {
  const config = (more: object) => ({ ...usualConfig(rig), server: { host: "0.0.0.0" }, ...more });

  test("is refused without a key, with exit code 2 and what to do", async () => {
    const child = spawnGateway({ config: config({}), env: canaryEnv });
    expect(await child.ended).toBe(2);
    expect(child.stderr).toContain("0.0.0.0");
    expect(child.stderr).toContain("auth.key");
    expect(child.stderr).toContain("auth.anonymous: true");
    expect(child.stderr).not.toMatch(/\bat .+:\d+:\d+/);
  });

  test("is refused when only the command line asks for it", async () => {
    const child = spawnGateway({ config: usualConfig(rig), env: canaryEnv, args: ["--host", "0.0.0.0"] });
    expect(await child.ended).toBe(2);
  });

  test.each(["::", "0", "localhost.example.com"])("`%s` is no loopback address", async (host) => {
    const child = spawnGateway({ config: usualConfig(rig), env: canaryEnv, args: ["--host", host] });
    expect(await child.ended).toBe(2);
  });

  test("is served when anonymous use is said on purpose", async () => {
    const gateway = await startGateway({ config: config({ auth: { anonymous: true } }), env: canaryEnv });
    expect((await postChat(gateway.url, say("Hi"))).status).toBe(200);
  });

  test("is served with a key", async () => {
    const gateway = await startGateway({ config: config({ auth: { key } }), env: canaryEnv });
    expect((await postChat(gateway.url, say("Hi"))).status).toBe(401);
    expect((await postChat(gateway.url, say("Hi"), { "x-api-key": key })).status).toBe(200);
  });
});
