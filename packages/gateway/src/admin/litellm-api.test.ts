import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type AdminRig, adminRig, operatorToken } from "../../test/fixtures/admin-rig.ts";
import { attemptOf, exchangeOf, localTarget } from "../../test/fixtures/ledger-rows.ts";
import type { Principal } from "../core/principal.ts";

let rig: AdminRig;
beforeEach(async () => {
  rig = await adminRig();
});
afterEach(() => rig.stop());

const call = (method: string, path: string, body?: unknown) => rig.call(method, path, { token: operatorToken, body });
const principalOf = (key: string) => rig.ring.find(key) as Principal | undefined;
const hourMs = 3_600_000;

describe("the calls of LiteLLM's tools", () => {
  test("/key/generate makes a key with its budget and limits, and lists what has no meaning here", async () => {
    await call("POST", "/team/new", { team_alias: "blue", models: ["small"], max_budget: 50, budget_duration: "1mo" });
    const { json, status } = await call("POST", "/key/generate", {
      key_alias: "app",
      team_id: "blue",
      user_id: "ann",
      models: ["small", "large"],
      aliases: { fast: "small" },
      duration: "30d",
      max_budget: 2.5,
      budget_duration: "7d",
      rpm_limit: 10,
      tpm_limit: 1000,
      max_parallel_requests: 3,
      metadata: { tags: ["prod"], owner: "x" },
      guardrails: ["a"],
      permissions: null,
    });
    expect(status).toBe(200);
    expect(json).toMatchObject({
      key_alias: "app",
      team_id: "blue",
      user_id: "ann",
      max_budget: 2.5,
      budget_duration: "7d",
      rpm_limit: 10,
      tpm_limit: 1000,
      max_parallel_requests: 3,
      expires: new Date(rig.clock.now() + 30 * 24 * hourMs).toISOString(),
      ignored_fields: ["guardrails", "metadata.owner"],
    });
    expect(json.key).toStartWith("fl-");
    expect(principalOf(json.key)).toMatchObject({
      team: "blue",
      user: "ann",
      allowedModels: [["small", "large"], ["small"]],
      aliases: new Map([["fast", "small"]]),
      tags: ["prod"],
    });
    const budgets = rig.budgets().map(({ scope, limit, window }) => ({ scope, limit, window }));
    expect(budgets.toSorted((a, b) => a.limit - b.limit)).toEqual([
      {
        scope: { kind: "key", value: json.token_id },
        limit: 2_500_000_000 as never,
        window: { kind: "rolling", lengthMs: 168 * hourMs },
      },
      {
        scope: { kind: "team", value: "blue" },
        limit: 50_000_000_000 as never,
        window: { kind: "calendar", unit: "month", timeZone: "UTC" },
      },
    ]);
  });

  test("/key/info finds a key by itself and by its id, with what it spent; unknown ones are not repeated", async () => {
    const { json } = await call("POST", "/key/generate", { key_alias: "app" });
    const at = rig.clock.now() - 1_000;
    const record = exchangeOf("one", at, {
      keyId: json.token_id,
      attempts: [attemptOf(localTarget, { cost: 5_000_000 })],
    });
    await rig.ledger.append([{ record, orphaned: false }]);
    const info = await call("GET", `/key/info?key=${json.key}`);
    expect(info.json).toMatchObject({ key: json.token_id, info: { key_alias: "app", spend: 0.005, max_budget: null } });
    expect((await call("GET", `/key/info?key=${json.token_id}`)).json).toEqual(info.json);
    expect(info.text).not.toContain(json.key);
    const unknown = await call("GET", "/key/info?key=fl-unknown-key-text");
    expect(unknown.status).toBe(404);
    expect(unknown.json.error.message).toBe("There is no such key.");
    expect(unknown.text).not.toContain("unknown-key-text");
  });

  test("/key/update changes what it names, takes away what is null and leaves the rest", async () => {
    const made = { key_alias: "app", models: ["a"], max_budget: 1, rpm_limit: 5, tpm_limit: 9 };
    const { json } = await call("POST", "/key/generate", made);
    const changed = await call("POST", "/key/update", {
      key: json.key,
      blocked: true,
      max_budget: null,
      rpm_limit: null,
    });
    expect(changed.json).toMatchObject({
      blocked: true,
      models: ["a"],
      max_budget: null,
      rpm_limit: null,
      tpm_limit: 9,
    });
    expect(rig.budgets()).toEqual([]);
    expect(() => principalOf(json.key)).toThrow("disabled");
    await call("POST", "/key/update", { key: json.key, blocked: false, models: ["b"], tpm_limit: null, max_budget: 3 });
    expect(principalOf(json.key)).toMatchObject({ allowedModels: [["b"]] });
    expect((await rig.directory.list("limit", { limit: 10 })).items).toEqual([]);
    expect(rig.budgets()).toMatchObject([{ limit: 3_000_000_000 }]);
  });

  test("/key/delete removes keys with their budgets, all or none", async () => {
    const { json: a } = await call("POST", "/key/generate", { max_budget: 1 });
    const { json: b } = await call("POST", "/key/generate", { key_alias: "b" });
    expect((await call("POST", "/key/delete", { keys: [a.key, "unknown"] })).status).toBe(404);
    expect(principalOf(a.key)).toBeDefined();
    const { json } = await call("POST", "/key/delete", { keys: [a.key], key_aliases: ["b"] });
    expect(json.deleted_keys.toSorted()).toEqual([a.token_id, b.token_id].toSorted());
    expect(rig.budgets()).toEqual([]);
    expect((await rig.directory.list("key", { limit: 10 })).items).toEqual([]);
  });

  test("a key of one's own is taken when it is long enough, once", async () => {
    const key = "sk-0123456789abcdef0123456789abcdef";
    expect((await call("POST", "/key/generate", { key: "sk-short" })).status).toBe(400);
    expect((await call("POST", "/key/generate", { key })).json.key).toBe(key);
    expect(principalOf(key)?.kind).toBe("virtual-key");
    const again = await call("POST", "/key/generate", { key });
    expect(again.status).toBe(409);
    expect(again.text).not.toContain(key);
  });

  test("/user/new makes a user of the role meant, with a key unless told otherwise", async () => {
    const { json } = await call("POST", "/user/new", {
      user_email: "Ann@example.com",
      user_role: "proxy_admin_viewer",
    });
    expect(json).toMatchObject({ user_email: "ann@example.com", user_role: "proxy_admin_viewer", ignored_fields: [] });
    expect(principalOf(json.key)).toMatchObject({ user: json.user_id });
    expect(await rig.directory.get("user", json.user_id)).toMatchObject({ kind: "person", role: "viewer" });
    const { json: bare } = await call("POST", "/user/new", { user_id: "bot", auto_create_key: false, teams: ["x"] });
    expect(bare).toMatchObject({ user_id: "bot", key: null, ignored_fields: ["teams"] });
  });

  test("/spend/logs lists requests with their cost, by key, user or id", async () => {
    const { json: key } = await call("POST", "/key/generate", {});
    const at = Date.parse("2026-11-20T10:00:00Z");
    const records = [exchangeOf("one", at, { keyId: key.token_id, cost: 2_000_000 }), exchangeOf("two", at + 1)];
    await rig.ledger.append(records.map((record) => ({ record, orphaned: false })));
    const range = "start_date=2026-11-20&end_date=2026-11-20";
    expect((await call("GET", `/spend/logs?${range}`)).json).toHaveLength(2);
    expect((await call("GET", `/spend/logs?${range}&api_key=${key.key}`)).json).toMatchObject([
      {
        request_id: "one",
        spend: 0.002,
        prompt_tokens: 100,
        completion_tokens: 30,
        total_tokens: 130,
        status: "success",
      },
    ]);
    expect((await call("GET", "/spend/logs?request_id=two")).json).toHaveLength(1);
  });

  test("a time beyond what can be written is refused, and one that is stored stops no answer", async () => {
    for (const duration of ["999999999mo", "36501d"]) {
      const refused = await call("POST", "/key/generate", { duration });
      expect(refused.status).toBe(400);
      expect(refused.json.error).toMatchObject({ code: "invalid_request", param: "duration" });
    }
    for (const expires_at of ["9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z"]) {
      const refused = await call("POST", "/admin/v1/keys", { name: "late", expires_at });
      expect(refused.json.error).toMatchObject({ code: "invalid_request", param: "expires_at" });
    }
    const latest = "9999-12-31T23:59:59Z";
    expect((await call("POST", "/admin/v1/keys", { name: "late", expires_at: latest })).status).toBe(201);
    const { json } = await call("POST", "/key/generate", { duration: "36500d" });
    expect((await call("GET", "/admin/v1/keys")).json.data).toHaveLength(2);
    const key = await rig.directory.get("key", json.token_id);
    const actor = { id: "operator", name: "operator", address: "-" };
    if (key === undefined) throw new Error("The key is not stored.");
    await rig.directory.change(actor, (changes) => changes.update("key", { ...key, expiresAt: 1e300 }));
    const listed = await call("GET", `/admin/v1/keys/${json.token_id}`);
    expect(listed.json.expires_at).toBe("9999-12-31T23:59:59.999Z");
  });

  test("a duration without a budget, and what is said of a key that is not made, are listed as ignored", async () => {
    const { json } = await call("POST", "/key/generate", { budget_duration: "30d" });
    expect(json.ignored_fields).toEqual(["budget_duration"]);
    expect((await call("POST", "/key/update", { key: json.key, budget_duration: "1d" })).json.ignored_fields).toEqual([
      "budget_duration",
    ]);
    const team = await call("POST", "/team/new", { team_id: "red", budget_duration: "1d" });
    expect(team.json.ignored_fields).toEqual(["budget_duration"]);
    const user = { user_id: "bot", auto_create_key: false, max_budget: 5, models: ["a"] };
    expect((await call("POST", "/user/new", user)).json.ignored_fields.toSorted()).toEqual(["max_budget", "models"]);
    await call("POST", "/key/update", { key: json.key, max_budget: 1 });
    const changed = await call("POST", "/key/update", { key: json.key, budget_duration: "1d" });
    expect(changed.json).toMatchObject({ ignored_fields: [], budget_duration: "1d" });
  });

  test("the names of all models mean no list of one's own", async () => {
    await call("POST", "/team/new", { team_id: "red", models: ["small"] });
    const { json } = await call("POST", "/key/generate", { team_id: "red", models: ["all-team-models"] });
    expect(json.models).toEqual([]);
    expect(principalOf(json.key)).toMatchObject({ allowedModels: [["small"]] });
    expect((await call("POST", "/team/new", { team_id: "all", models: ["all-proxy-models"] })).json.models).toEqual([]);
    const changed = await call("POST", "/key/update", { key: json.key, models: ["all-proxy-models"] });
    expect(changed.json.models).toEqual([]);
  });

  test("windows that budgets cannot have are refused, and no window means the longest one", async () => {
    const refused = await call("POST", "/key/generate", { max_budget: 1, budget_duration: "30s" });
    expect(refused.json.error).toMatchObject({ code: "invalid_request", param: "budget_duration" });
    const { json } = await call("POST", "/key/generate", { max_budget: 1 });
    expect(json.budget_duration).toBeNull();
    expect(rig.budgets()).toMatchObject([{ window: { kind: "rolling", lengthMs: 366 * 24 * hourMs } }]);
    const models = await call("GET", "/model/info");
    expect(models.json).toEqual({ data: [] });
  });
});
