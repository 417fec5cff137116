import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callAdmin, machineToken, operator } from "../setup/admin.ts";
import { openaiClient, postChat, readError, say } from "../setup/clients.ts";
import { startGateway } from "../setup/gateway-process.ts";
import { canaryEnv, localModel, openaiModel, type Rig, startRig, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const dir = tempDir();
let rig: Rig;
let url: string;
let call: ReturnType<typeof operator>;
let issuer: Server;
let issuerUrl: string;
let sign: (claims: object) => Promise<string>;

beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" };
  issuer = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [jwk] }));
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  sign = (claims) =>
    new SignJWT({ iss: issuerUrl, aud: "fairlead", sub: "ann", ...claims })
      .setProtectedHeader({ alg: "ES256", kid: "one" })
      .setExpirationTime("5m")
      .sign(privateKey);
  const jwt = [{ issuer: issuerUrl, audience: "fairlead", jwksUrl: `${issuerUrl}/jwks` }];
  rig = await startRig({ config: { storage: { dir }, auth: { jwt } } });
  url = rig.gateway.url;
  call = operator(rig.gateway, dir);
});
afterAll(() => {
  issuer.close();
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const chat = async (key: string, model = "auto") => postChat(url, say("Hi", { model }), bearer(key));

describe("virtual keys", () => {
  test("open the gateway to the official client, until they are disabled", async () => {
    const { json: made } = await call("POST", "/keys", { name: "app" });
    const client = openaiClient(url, { apiKey: made.key });
    const answer = await client.chat.completions.create({ model: "auto", messages: [{ role: "user", content: "Hi" }] });
    expect(answer.choices[0]?.message.content).toBeTruthy();
    await call("PATCH", `/keys/${made.id}`, { disabled: true });
    const refused = await chat(made.key);
    expect(refused.status).toBe(401);
    expect((await readError(refused)).message).toContain("disabled");
    await call("PATCH", `/keys/${made.id}`, { disabled: false });
    expect((await chat(made.key)).status).toBe(200);
    expect((await chat("fl-unknown")).status).toBe(401);
    expect((await postChat(url, say("Hi"))).status).toBe(401);
  });

  test("may only use the models they and their team allow", async () => {
    await call("POST", "/teams", { name: "local-only", models: ["@local"] });
    const { json: free } = await call("POST", "/keys", { name: "free", models: [openaiModel] });
    const { json: bound } = await call("POST", "/keys", { name: "bound", team: "local-only" });
    expect((await chat(free.key, openaiModel)).status).toBe(200);
    expect((await chat(free.key, localModel)).status).toBe(403);
    expect((await chat(bound.key, localModel)).status).toBe(200);
    expect((await chat(bound.key, openaiModel)).status).toBe(403);
  });

  test("have their own names for models", async () => {
    const { json } = await call("POST", "/keys", { name: "alias", aliases: { quick: openaiModel } });
    const answer = await chat(json.key, "quick");
    expect(answer.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
  });

  test("are rotated with grace, and stay over a restart", async () => {
    const { json: first } = await call("POST", "/keys", { name: "rotated" });
    const { json: second } = await call("POST", `/keys/${first.id}/rotate`, { grace_seconds: 600 });
    const { json: third } = await call("POST", "/keys", { name: "ended" });
    await call("POST", `/keys/${third.id}/rotate`, { grace_seconds: 0 });
    for (const key of [first.key, second.key]) expect((await chat(key)).status).toBe(200);
    expect((await chat(third.key)).status).toBe(401);
    const again = tempDir();
    const config = { ...usualConfig(rig), storage: { dir: again } };
    const one = await startGateway({ config, env: canaryEnv });
    const made = await operator(one, again)("POST", "/keys", { name: "kept" });
    await one.stop();
    const two = await startGateway({ config, env: canaryEnv });
    expect((await postChat(two.url, say("Hi"), bearer(made.json.key))).status).toBe(200);
    expect((await postChat(two.url, say("Hi"))).status).toBe(401);
  });

  test("expire", async () => {
    const expires_at = new Date(Date.now() - 1_000).toISOString();
    const { json } = await call("POST", "/keys", { name: "expired", expires_at });
    expect((await readError(await chat(json.key))).message).toContain("expired");
  });
});

describe("signed tokens", () => {
  test("of the configured issuer are taken like keys, with their team's models", async () => {
    await call("POST", "/teams", { name: "signed", models: ["@local"] });
    expect((await chat(await sign({}))).status).toBe(200);
    expect((await chat(await sign({ team: "signed" }), localModel)).status).toBe(200);
    expect((await chat(await sign({ team: "signed" }), openaiModel)).status).toBe(403);
    expect((await chat(await sign({ team: "ghosts" }))).status).toBe(401);
    expect((await chat(await sign({ aud: "other" }))).status).toBe(401);
    expect((await chat(`${(await sign({})).slice(0, -4)}AAAA`)).status).toBe(401);
  });
});

test("LiteLLM's calls make keys that the official client can use", async () => {
  const token = machineToken(dir);
  const body = { models: [openaiModel], max_budget: 5, budget_duration: "30d", rpm_limit: 100 };
  const made = await callAdmin(url, "POST", "/key/generate", { token, body });
  expect(made.status).toBe(200);
  expect((await chat(made.json.key, openaiModel)).status).toBe(200);
  const info = await callAdmin(url, "GET", `/key/info?key=${made.json.key}`, { token });
  expect(info.json.info).toMatchObject({ max_budget: 5, rpm_limit: 100 });
  const models = await callAdmin(url, "GET", "/model/info", { token });
  expect(models.json.data.map((one: { model_name: string }) => one.model_name)).toContain(openaiModel);
  await callAdmin(url, "POST", "/key/delete", { token, body: { keys: [made.json.key] } });
  expect((await chat(made.json.key, openaiModel)).status).toBe(401);
});
