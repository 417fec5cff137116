import { statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { type AdminOptions, callAdmin, hasMachineToken, machineToken, operator } from "../setup/admin.ts";
import { postChat, say } from "../setup/clients.ts";
import { canaries, type Rig, startRig, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const dir = tempDir();
const owner = { email: "owner@example.com", password: "correct horse battery" };
let rig: Rig;
let call: ReturnType<typeof operator>;
const send = (method: string, path: string, options: AdminOptions = {}) =>
  callAdmin(rig.gateway.url, method, `/admin/v1${path}`, options);

beforeAll(async () => {
  rig = await startRig({ config: { storage: { dir } } });
  call = operator(rig.gateway, dir);
});

describe("signing in", () => {
  test("the first-run token makes the owner once, with argon2id, and is burnt", async () => {
    const body = { token: machineToken(dir, "first-run-token"), ...owner };
    expect(statSync(join(dir, "first-run-token")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "admin-token")).mode & 0o777).toBe(0o600);
    const made = await send("POST", "/setup", { body });
    expect(made.status).toBe(201);
    expect(hasMachineToken(dir, "first-run-token")).toBe(false);
    expect((await send("POST", "/setup", { body })).status).toBe(401);
  });

  test("a browser signs in, changes things with its CSRF token from its own origin only, and signs out", async () => {
    const signedIn = await send("POST", "/session", { body: owner });
    expect(signedIn.status).toBe(201);
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const page = { cookie, "x-csrf-token": signedIn.json.csrf_token, origin: rig.gateway.url };
    const make = (name: string, headers: Record<string, string>) => send("POST", "/teams", { headers, body: { name } });
    expect((await make("a", page)).status).toBe(201);
    expect((await make("b", { ...page, origin: "https://evil.example" })).json.error.code).toBe("cross_site_refused");
    expect((await make("b", { cookie, origin: rig.gateway.url })).json.error.code).toBe("cross_site_refused");
    expect((await send("DELETE", "/session", { headers: page })).status).toBe(200);
    expect((await send("GET", "/session", { headers: { cookie } })).status).toBe(401);
    const { json } = await call("GET", "/audit?limit=5");
    expect(json.data[0]).toMatchObject({ action: "session.deleted", address: "127.0.0.1" });
  });

  test("guessing is slowed down", async () => {
    const guess = () => send("POST", "/session", { body: { email: "ghost@example.com", password: "guess" } });
    // Wrong ones count when they are known to be wrong, so one after the other.
    const ends: Awaited<ReturnType<typeof guess>>[] = [];
    for (let i = 0; i < 7; i++) ends.push(await guess());
    expect(ends.slice(0, 5).map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    const refused = ends.find(({ status }) => status === 429);
    expect(refused?.headers.get("retry-after")).toMatch(/^\d+$/);
  });
});

describe("the admin API", () => {
  test("describes itself", async () => {
    const { json } = await send("GET", "/openapi.json");
    expect(json.openapi).toMatch(/^3\.1/);
    expect(Object.keys(json.paths)).toContain("/admin/v1/keys/{id}/rotate");
  });

  test("answers what was used, decided and saved, by key and tag", async () => {
    const { json: key } = await call("POST", "/keys", { name: "counted", tags: ["blue"] });
    const answer = await postChat(rig.gateway.url, say("Hi"), { authorization: `Bearer ${key.key}` });
    await answer.text();
    const id = answer.headers.get("x-router-decision-id") ?? "";
    await expect.poll(async () => (await call("GET", `/decisions/${id}`)).status, { timeout: 10_000 }).toBe(200);
    const { json } = await call("GET", "/usage?group_by=key,tag");
    const row = json.data.find((one: { group: { key: string } }) => one.group.key === key.id);
    expect(row).toMatchObject({ group: { key: key.id, tag: "blue" }, requests: 1 });
    expect(row.tokens.output).toBeGreaterThan(0);
    expect((await call("GET", "/savings?group_by=day")).json.data[0].requests).toBeGreaterThanOrEqual(1);
    const csv = await callAdmin(rig.gateway.url, "GET", "/admin/v1/ledger/export?format=csv", {
      token: machineToken(dir),
    });
    expect(csv.text).toContain(id);
    expect((await call("GET", "/upstreams")).status).toBe(200);
    expect((await call("GET", "/prices")).json.data.length).toBeGreaterThan(3);
    expect((await call("GET", "/config")).text).not.toContain("canary");
  });

  test("a config is applied without a restart, with a stored credential, and rolled back", async () => {
    await call("PUT", "/credentials/openai", { value: canaries.openai });
    const usual = { ...usualConfig(rig), storage: { dir } };
    const apply = async (key: object, alias: string) => {
      const openai = { ...usual.upstreams?.["openai"], auth: { type: "bearer", key } };
      const config = { ...usual, upstreams: { ...usual.upstreams, openai }, aliases: { quick: alias } };
      return call("POST", "/config/apply", { text: JSON.stringify(config) });
    };
    const target = async () => {
      const { json: key } = await call("POST", "/keys", { name: `config ${Math.random()}` });
      const answer = await postChat(rig.gateway.url, say("Hi", { model: "quick" }), {
        authorization: `Bearer ${key.key}`,
      });
      return `${answer.status} ${answer.headers.get("x-router-target")}`;
    };
    const first = await apply({ store: "openai" }, "gpt-4o-mini");
    expect(first.status).toBe(200);
    expect(await target()).toBe("200 openai/gpt-4o-mini");
    expect((await apply({ env: "OPENAI_API_KEY" }, "claude-sonnet-4-6")).status).toBe(200);
    expect(await target()).toBe("200 anthropic/claude-sonnet-4-6");
    const missing = await apply({ store: "nothing" }, "gpt-4o-mini");
    expect(missing.status).toBe(400);
    expect(missing.json.error.message).toContain("nothing");
    expect((await call("POST", `/config/versions/${first.json.version}/roll-back`)).status).toBe(200);
    expect(await target()).toBe("200 openai/gpt-4o-mini");
    expect((await call("GET", "/config/versions")).json.data).toHaveLength(4);
  });

  test("a budget made here stops requests at once", async () => {
    const { json: key } = await call("POST", "/keys", { name: "poor" });
    const headers = { authorization: `Bearer ${key.key}` };
    expect((await postChat(rig.gateway.url, say("Hi", { model: "gpt-4o-mini" }), headers)).status).toBe(200);
    const scope = { key: key.id };
    const budget = await call("POST", "/budgets", { name: "poor", scope, limit_usd: 0, on_exhausted: "refuse" });
    expect(budget.status).toBe(201);
    expect((await postChat(rig.gateway.url, say("Hi", { model: "gpt-4o-mini" }), headers)).status).toBe(402);
    await call("DELETE", `/budgets/${budget.json.id}`);
    expect((await postChat(rig.gateway.url, say("Hi", { model: "gpt-4o-mini" }), headers)).status).toBe(200);
  });

  test("a limit made here holds at once", async () => {
    const { json: key } = await call("POST", "/keys", { name: "slow" });
    const headers = { authorization: `Bearer ${key.key}` };
    await call("POST", "/limits", { name: "slow", scope: { key: key.id }, requests_per_minute: 1 });
    expect((await postChat(rig.gateway.url, say("Hi"), headers)).status).toBe(200);
    const refused = await postChat(rig.gateway.url, say("Hi"), headers);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
  });
});
