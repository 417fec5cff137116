import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type AdminRig, adminRig, operatorToken } from "../../test/fixtures/admin-rig.ts";
import { attemptOf, cloudTarget, exchangeOf, localTarget } from "../../test/fixtures/ledger-rows.ts";
import type { Principal } from "../core/principal.ts";

let rig: AdminRig;
beforeEach(async () => {
  rig = await adminRig();
});
afterEach(() => rig.stop());

const as = (token: string) => (method: string, path: string, body?: unknown) =>
  rig.call(method, `/admin/v1${path}`, { token, body });
const call = as(operatorToken);

/** A service account of a role with a token. */
async function account(role: string, name = `${role} account`) {
  const { json: user } = await call("POST", "/users", { kind: "service", name, role });
  const { json } = await call("POST", `/users/${user.id}/tokens`, { name: "test" });
  return { id: String(user.id), call: as(json.token) };
}

const found = (key: string): Principal | undefined | string => {
  try {
    return rig.ring.find(key) as Principal | undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

describe("keys", () => {
  test("are shown once, work at once, and stop at once when they are disabled or deleted", async () => {
    const made = await call("POST", "/keys", { name: "first", models: ["small"], tags: ["x"] });
    expect(made.status).toBe(201);
    const { key, ...shown } = made.json;
    expect(key).toMatch(/^fl-[0-9A-Za-z]{43}$/);
    expect(found(key)).toMatchObject({ keyId: shown.id, allowedModels: [["small"]], tags: ["x"] });
    const read = await call("GET", `/keys/${shown.id}`);
    expect(read.json).toEqual(shown);
    expect((await call("GET", "/keys")).json).toEqual({ data: [shown], next_cursor: null });

    expect((await call("PATCH", `/keys/${shown.id}`, { disabled: true })).json).toMatchObject({ version: 2 });
    expect(found(key)).toContain("disabled");
    await call("PATCH", `/keys/${shown.id}`, { disabled: false, models: [], strategy: "cloud_first" });
    expect(found(key)).toMatchObject({ allowedModels: [], strategy: "cloud_first", tags: ["x"] });
    expect((await call("DELETE", `/keys/${shown.id}`)).json).toEqual({ id: shown.id, deleted: true });
    await call("POST", "/keys", { name: "another" });
    expect(found(key)).toBeUndefined();
    expect((await call("GET", `/keys/${shown.id}`)).status).toBe(404);
  });

  test("are rotated with a time of grace, and without one the old key ends at once", async () => {
    const { json: first } = await call("POST", "/keys", { name: "first" });
    const { json: second } = await call("POST", `/keys/${first.id}/rotate`, { grace_seconds: 60 });
    expect(second.key).not.toBe(first.key);
    expect(found(first.key)).toMatchObject({ keyId: first.id });
    expect(found(second.key)).toMatchObject({ keyId: first.id });
    await rig.clock.advance(60_000);
    expect(found(first.key)).toContain("grace");
    const { json: third } = await call("POST", `/keys/${first.id}/rotate`, { grace_seconds: 0 });
    expect(third.previous_valid_until).toBeNull();
    expect(found(second.key)).toBeUndefined();
    expect(found(third.key)).toMatchObject({ keyId: first.id });
  });

  test("of two changes from one version the later is refused", async () => {
    const { json } = await call("POST", "/keys", { name: "first" });
    expect((await call("PATCH", `/keys/${json.id}`, { tags: ["a"], version: 1 })).status).toBe(200);
    const late = await call("PATCH", `/keys/${json.id}`, { tags: ["b"], version: 1 });
    expect(`${late.status} ${late.json.error.code}`).toBe("409 conflict");
  });

  test("name teams and users that exist, and names are taken once", async () => {
    expect((await call("POST", "/keys", { name: "first", team: "ghosts" })).json.error).toEqual({
      code: "invalid_request",
      message: 'team is "ghosts": expected the name of a team that exists.',
      param: "team",
    });
    expect((await call("POST", "/keys", { name: "first", user: "nobody" })).json.error.param).toBe("user");
    await call("POST", "/keys", { name: "first" });
    expect((await call("POST", "/keys", { name: "first" })).json.error).toMatchObject({
      code: "conflict",
      param: "name",
    });
  });

  test("are listed page by page, and by team", async () => {
    await call("POST", "/teams", { name: "blue" });
    for (let at = 0; at < 5; at++) await call("POST", "/keys", { name: `key ${at}`, team: at < 3 ? "blue" : null });
    const first = await call("GET", "/keys?limit=3");
    const rest = await call("GET", `/keys?limit=3&cursor=${first.json.next_cursor}`);
    expect(rest.json.next_cursor).toBeNull();
    const names = [...first.json.data, ...rest.json.data].map(({ name }) => name).toSorted();
    expect(names).toEqual(["key 0", "key 1", "key 2", "key 3", "key 4"]);
    expect((await call("GET", "/keys?team=blue")).json.data).toHaveLength(3);
  });

  test("members see their own and nothing of others", async () => {
    const member = await account("member");
    const { json: own } = await call("POST", "/keys", { name: "own", user: member.id });
    const { json: other } = await call("POST", "/keys", { name: "other" });
    const { json: list } = await member.call("GET", "/keys");
    expect(list.data.map(({ name }: { name: string }) => name)).toEqual(["own"]);
    expect((await member.call("GET", `/keys/${own.id}`)).status).toBe(200);
    expect((await member.call("GET", `/keys/${other.id}`)).status).toBe(404);
    expect((await member.call("GET", "/keys?user=somebody")).status).toBe(403);
  });
});

describe("requests", () => {
  const messageOf = async (body: unknown, path = "/keys") => (await call("POST", path, body)).json.error.message;

  test("that do not fit are refused with path, value and expectation", async () => {
    expect(await messageOf({ name: "a", modells: [] })).toBe("modells is not a field of this request.");
    expect(await messageOf({ name: "a", tags: ["x", 5] })).toContain("tags[1] is 5: expected string");
    expect(await messageOf({})).toContain("name is missing: expected string");
    expect(await messageOf({ name: "a", strategy: "fastest" })).toContain('strategy is "fastest"');
    expect(await messageOf({ name: "b", scope: { team: 5 }, limit_usd: 1 }, "/budgets")).toContain("scope.team is 5");
    expect((await call("GET", "/keys?limit=0")).json.error).toMatchObject({ param: "query.limit" });
    expect((await call("GET", "/keys?page=2")).json.error.message).toContain("query.page");
  });

  test("of another media type, too large, or not JSON are refused", async () => {
    const send = (body: string, type: string) =>
      rig.call("POST", "/admin/v1/keys", { token: operatorToken, body, headers: { "content-type": type } });
    expect((await send("name=a", "application/x-www-form-urlencoded")).status).toBe(415);
    expect((await send("{", "application/json")).json.error.code).toBe("invalid_json");
    expect((await send(`{"name":"${"a".repeat(3_000_000)}"}`, "application/json")).status).toBe(413);
    expect((await rig.call("GET", "/admin/v1/nothing", { token: operatorToken })).json.error.code).toBe("not_found");
  });
});

describe("teams and users", () => {
  test("a team's models and tags hold for its keys; a disabled team's keys are refused", async () => {
    const { json: team } = await call("POST", "/teams", { name: "blue", models: ["small"], tags: ["t"] });
    const { json: key } = await call("POST", "/keys", { name: "first", team: "blue", tags: ["k"] });
    expect(found(key.key)).toMatchObject({ team: "blue", allowedModels: [["small"]], tags: ["k", "t"] });
    await call("PATCH", "/teams/blue", { disabled: true });
    expect(found(key.key)).toContain("team");
    expect((await call("DELETE", `/teams/${team.id}`)).status).toBe(409);
    await call("DELETE", `/keys/${key.id}`);
    await call("POST", "/budgets", { name: "its own", scope: { team: "blue" }, limit_usd: 1 });
    expect((await call("DELETE", `/teams/${team.id}`)).status).toBe(200);
    expect(rig.budgets()).toEqual([]);
  });

  test("members are added once and taken out", async () => {
    await call("POST", "/teams", { name: "blue" });
    const { id } = await account("member");
    expect((await call("POST", "/teams/blue/members", { user: id })).status).toBe(201);
    expect((await call("POST", "/teams/blue/members", { user: id })).status).toBe(409);
    expect((await call("POST", "/teams/blue/members", { user: "nobody" })).status).toBe(404);
    expect((await call("GET", "/teams/blue/members")).json.data).toMatchObject([{ team: "blue", user: id }]);
    expect((await call("DELETE", `/teams/blue/members/${id}`)).status).toBe(200);
    expect((await call("GET", "/teams/blue/members")).json.data).toEqual([]);
  });

  test("admins make members and viewers; owners and admins are made, changed and removed by owners only", async () => {
    const admin = await account("admin");
    const owner = await account("owner");
    for (const role of ["owner", "admin"]) {
      expect((await admin.call("POST", "/users", { kind: "service", name: "x", role })).status).toBe(403);
    }
    const { json: viewer } = await admin.call("POST", "/users", { kind: "service", name: "x", role: "viewer" });
    expect((await admin.call("PATCH", `/users/${viewer.id}`, { role: "admin" })).status).toBe(403);
    expect((await admin.call("PATCH", `/users/${viewer.id}`, { role: "member" })).status).toBe(200);
    expect((await admin.call("PATCH", `/users/${owner.id}`, { disabled: true })).status).toBe(403);
    expect((await admin.call("POST", `/users/${owner.id}/tokens`, { name: "stolen" })).status).toBe(403);
    expect((await admin.call("DELETE", `/users/${owner.id}`)).status).toBe(403);
    expect((await owner.call("PATCH", `/users/${viewer.id}`, { role: "admin" })).status).toBe(200);
  });

  test("the last owner stays, also when two owners remove each other at once", async () => {
    const [a, b] = [await account("owner", "a"), await account("owner", "b")];
    const ends = await Promise.all([
      a.call("PATCH", `/users/${b.id}`, { role: "member" }),
      b.call("PATCH", `/users/${a.id}`, { role: "member" }),
    ]);
    expect(ends.map(({ status }) => status).toSorted()).not.toEqual([200, 200]);
    const owners = await call("GET", "/users?role=owner");
    expect(owners.json.data.length).toBeGreaterThanOrEqual(1);
    const [last] = owners.json.data;
    for (const other of owners.json.data.slice(1)) await call("PATCH", `/users/${other.id}`, { role: "viewer" });
    expect((await call("PATCH", `/users/${last.id}`, { disabled: true })).status).toBe(409);
    expect((await call("DELETE", `/users/${last.id}`)).status).toBe(409);
  });

  test("a disabled account's tokens and keys stop; deleted tokens stop; expired ones too", async () => {
    const viewer = await account("viewer");
    const { json: key } = await call("POST", "/keys", { name: "first", user: viewer.id });
    await call("PATCH", `/users/${viewer.id}`, { disabled: true });
    expect((await viewer.call("GET", "/keys")).status).toBe(401);
    expect(found(key.key)).toContain("account");
    await call("PATCH", `/users/${viewer.id}`, { disabled: false });
    expect((await viewer.call("GET", "/keys")).status).toBe(200);
    const { json: tokens } = await call("GET", `/users/${viewer.id}/tokens`);
    expect(tokens.data).toHaveLength(1);
    await call("DELETE", `/users/${viewer.id}/tokens/${tokens.data[0].id}`);
    expect((await viewer.call("GET", "/keys")).status).toBe(401);
    const expires_at = new Date(rig.clock.now() + 1_000).toISOString();
    const { json: short } = await call("POST", `/users/${viewer.id}/tokens`, { name: "short", expires_at });
    expect((await as(short.token)("GET", "/keys")).status).toBe(200);
    await rig.clock.advance(1_000);
    expect((await as(short.token)("GET", "/keys")).status).toBe(401);
  });
});

describe("budgets and limits", () => {
  test("the config's are read and not changed; the API's come into force at once", async () => {
    const { json: list } = await call("GET", "/budgets");
    expect(list.data).toMatchObject([{ id: "config:whole", source: "config", scope: "total", limit_usd: 100 }]);
    expect(list.data[0].current).toMatchObject({ spent_usd: 1, held_usd: 0.5, remaining_usd: 98.5 });
    expect((await call("PATCH", "/budgets/config:whole", { limit_usd: 1 })).status).toBe(409);
    expect((await call("DELETE", "/limits/config:each")).status).toBe(409);
    expect((await call("POST", "/budgets", { name: "whole", scope: "total", limit_usd: 1 })).status).toBe(409);

    const body = { name: "blue", scope: { team: "blue" }, limit_usd: 12.5, window: { rolling_hours: 6 }, hard: false };
    const { json: made, status } = await call("POST", "/budgets", body);
    expect(status).toBe(201);
    expect(made).toMatchObject({ ...body, source: "api", time_zone: "UTC", notify_at: [0.5, 0.8, 1], version: 1 });
    expect(rig.budgets()).toMatchObject([
      { id: made.id, limit: 12_500_000_000, window: { kind: "rolling", lengthMs: 21_600_000 }, hard: false },
    ]);
    const changed = await call("PATCH", `/budgets/${made.id}`, {
      limit_usd: 1,
      window: "month",
      time_zone: "Europe/Berlin",
    });
    expect(changed.json).toMatchObject({ limit_usd: 1, window: "month", time_zone: "Europe/Berlin", hard: false });
    expect(rig.budgets()[0]?.window).toEqual({ kind: "calendar", unit: "month", timeZone: "Europe/Berlin" });
    await call("DELETE", `/budgets/${made.id}`);
    expect(rig.budgets()).toEqual([]);
  });

  test("limits keep what a change leaves out, and null takes an amount away", async () => {
    const body = { name: "l", scope: { key: "*" }, requests_per_minute: 5, concurrency: 2 };
    const { json } = await call("POST", "/limits", body);
    const changed = await call("PATCH", `/limits/${json.id}`, { concurrency: null, tokens_per_minute: 9 });
    expect(changed.json).toMatchObject({ requests_per_minute: 5, concurrency: null, tokens_per_minute: 9, version: 2 });
    expect((await call("GET", "/limits")).json.data).toHaveLength(2);
  });

  test("a key's own go with it", async () => {
    const { json: key } = await call("POST", "/keys", { name: "first" });
    await call("POST", "/budgets", { name: "by id", scope: { key: key.id }, limit_usd: 1 });
    await call("POST", "/budgets", { name: "of another", scope: { key: "other" }, limit_usd: 1 });
    await call("POST", "/limits", { name: "by name", scope: { key: "first" }, concurrency: 1 });
    await call("DELETE", `/keys/${key.id}`);
    const names = async (path: string) =>
      (await call("GET", path)).json.data.map(({ name }: { name: string }) => name).toSorted();
    expect(await names("/budgets")).toEqual(["of another", "whole"]);
    expect(await names("/limits")).toEqual(["each"]);
  });
});

describe("usage", () => {
  const at = Date.parse("2026-11-20T10:00:00Z");
  const rows = (user: string) => [
    exchangeOf("one", at, { keyId: "k1", user, team: "blue", served: localTarget, attempts: [attemptOf(localTarget)] }),
    exchangeOf("two", at + 1, { keyId: "k2", team: "red", served: cloudTarget, attempts: [attemptOf(cloudTarget)] }),
  ];
  const range = "from=2026-11-20&to=2026-11-21";

  test("is grouped by any two dimensions, filtered, and members see their own only", async () => {
    const member = await account("member");
    await rig.ledger.append(rows(member.id).map((record) => ({ record, orphaned: false })));
    const { json } = await call("GET", `/usage?group_by=team,placement&${range}`);
    expect(json.data.map((row: { group: object; requests: number }) => [row.group, row.requests])).toContainEqual([
      { team: "blue", placement: "local" },
      1,
    ]);
    expect(json.data).toHaveLength(2);
    expect((await call("GET", `/usage?${range}&team=red`)).json.data).toMatchObject([{ requests: 1, group: {} }]);
    expect((await member.call("GET", `/usage?group_by=key&${range}`)).json.data).toMatchObject([
      { group: { key: "k1" }, requests: 1 },
    ]);
    expect((await member.call("GET", `/usage?user=other&${range}`)).status).toBe(403);
    expect((await call("GET", `/usage?group_by=a&${range}`)).json.error.param).toContain("group_by");
    expect((await call("GET", `/usage?group_by=key,team,day&${range}`)).status).toBe(400);
    expect((await call("GET", "/usage?from=2026-11-21&to=2026-11-20")).status).toBe(400);
    const paged = await call("GET", `/usage?group_by=key&${range}&limit=1`);
    expect(paged.json.next_cursor).toBe("1");
    expect((await call("GET", `/savings?group_by=day&${range}`)).json).toMatchObject({
      reference: "cloud/large",
      data: [{ group: { day: "2026-11-20" }, requests: 2 }],
    });
  });

  test("decisions are listed and read, and exported as CSV and as lines of JSON", async () => {
    await rig.ledger.append(rows("u").map((record) => ({ record: { ...record, asked: '=1+"a",b' }, orphaned: false })));
    const { json } = await call("GET", `/decisions?${range}&limit=1`);
    expect(json.data).toMatchObject([{ id: "two", served: { placement: "cloud" } }]);
    const next = await call("GET", `/decisions?${range}&limit=1&cursor=${encodeURIComponent(json.next_cursor)}`);
    expect(next.json.data).toMatchObject([{ id: "one" }]);
    expect((await call("GET", "/decisions/one")).json).toEqual(next.json.data[0]);
    expect((await call("GET", "/decisions/three")).status).toBe(404);

    const lines = await call("GET", `/ledger/export?${range}&format=jsonl`);
    expect(
      lines.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual(["one", "two"]);
    const csv = await call("GET", `/ledger/export?${range}&format=csv`);
    expect(csv.headers.get("content-type")).toContain("text/csv");
    const [head, first] = csv.text.split("\r\n");
    expect(head).toStartWith("id,at,key,team,user,tags,asked,");
    expect(first).toContain(`,"'=1+""a"",b",`);
  });

  test("re-pricing tells first and is noted when it is done", async () => {
    await rig.ledger.append(rows("u").map((record) => ({ record, orphaned: false })));
    const body = { from: "2026-11-20", to: "2026-11-21" };
    expect((await call("POST", "/ledger/reprice", body)).json).toMatchObject({ dry_run: true, attempts: 2 });
    expect((await call("GET", "/audit?action=ledger.repriced")).json.data).toEqual([]);
    expect((await call("POST", "/ledger/reprice", { ...body, dry_run: false })).json).toMatchObject({ dry_run: false });
    expect((await call("GET", "/audit?action=ledger.repriced")).json.data).toMatchObject([{ actor: "operator" }]);
  });
});

describe("config, credentials and the audit log", () => {
  test("a config is checked, compared, applied, listed and rolled back; one that fails leaves no trace", async () => {
    expect((await call("GET", "/config")).json).toEqual({ version: "0000-start", text: "first: 1" });
    expect((await call("POST", "/config/apply", { text: "first: 2", base_version: "other" })).status).toBe(409);
    expect((await call("POST", "/config/apply", { text: "explodes" })).status).toBe(500);
    expect((await call("GET", "/config/versions")).json.data).toEqual([]);
    expect((await call("POST", "/config/validate", { text: "broken" })).json).toMatchObject({ valid: false });
    expect((await call("POST", "/config/plan", { text: "first: 2" })).json.changes).toHaveLength(1);
    expect((await call("POST", "/config/apply", { text: "broken" })).json.error.message).toBe("1:1 first: is broken");
    const { json: second } = await call("POST", "/config/apply", { text: "first: 2\nsecret: hush-hush", note: "more" });
    expect((await call("GET", "/config")).json).toEqual({
      version: second.version,
      text: "first: 2\nsecret: '[hidden]'",
    });
    expect((await call("POST", "/config/apply", { text: "first: 3", base_version: "0000-start" })).status).toBe(409);
    expect((await call("POST", "/config/apply", { text: "explodes" })).status).toBe(500);
    expect((await call("GET", "/config")).json.version).toBe(second.version);
    await call("POST", "/config/apply", { text: "first: 3", base_version: second.version });
    const back = await call("POST", `/config/versions/${second.version}/roll-back`);
    expect(back.status).toBe(200);
    expect((await call("GET", "/config")).json.text).toContain("first: 2");
    const { json: versions } = await call("GET", "/config/versions");
    expect(versions.data).toHaveLength(4);
    const start = versions.data.at(-1);
    expect(start).toMatchObject({ id: "0000-start", note: "ran before the first change" });
    expect((await call("POST", `/config/versions/${start.id}/roll-back`)).status).toBe(200);
    expect((await call("GET", "/config")).json.text).toBe("first: 1");
    expect((await call("GET", `/config/versions/${second.version}`)).text).not.toContain("hush-hush");
  });

  test("of several changes based on one config only one is applied", async () => {
    const { json: read } = await call("GET", "/config");
    const answers = await Promise.all(
      [2, 3, 4, 5].map((n) => call("POST", "/config/apply", { text: `first: ${n}`, base_version: read.version })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await call("GET", "/config")).json.version).toBe(winner?.json.version);
  });

  test("credentials are stored sealed, replaced, named and deleted, and never shown", async () => {
    const put = (value: string) => call("PUT", "/credentials/cloud", { value });
    expect((await put("sk-first-value")).json).toMatchObject({ name: "cloud", version: 1 });
    expect((await put("sk-second-value")).json).toMatchObject({ version: 2 });
    expect((await put("two\nlines")).json.error.param).toBe("value");
    const stored = await rig.directory.get("credential", "cloud");
    expect(stored?.sealed).not.toContain("second");
    expect(await rig.deps.vault.open("cloud", stored?.sealed ?? "")).toBe("sk-second-value");
    expect((await call("GET", "/credentials")).json.data).toMatchObject([{ name: "cloud" }]);
    await call("DELETE", "/credentials/cloud");
    expect((await call("GET", "/credentials")).json.data).toEqual([]);
  });

  test("who changed what stands in the audit log, with the address", async () => {
    const admin = await account("admin");
    const { json: key } = await admin.call("POST", "/keys", { name: "first" });
    await rig.clock.advance(1_000);
    await admin.call("PATCH", `/keys/${key.id}`, { tags: ["x"] });
    const { json } = await call("GET", `/audit?subject=key:${key.id}`);
    expect(json.data).toMatchObject([
      {
        actor: `user:${admin.id}`,
        action: "key.updated",
        address: "192.0.2.7",
        before: { tags: [] },
        after: { tags: ["x"] },
      },
      { actor: `user:${admin.id}`, action: "key.created", before: null },
    ]);
  });
});
