import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Role, roles } from "@fairlead/contract/names";
import { type AdminRig, adminRig, browserOf, operatorToken, pageHeaders } from "../../test/fixtures/admin-rig.ts";

/** Who may call each route: the weakest role, or anyone. Written out by hand: a new route needs a row of its own here. */
const table: Readonly<Record<string, Role | "public">> = {
  "GET /admin/v1/openapi.json": "public",
  "POST /admin/v1/setup": "public",
  "POST /admin/v1/session": "public",
  "GET /admin/v1/sign-in-options": "public",
  "GET /admin/v1/oidc/login": "public",
  "GET /admin/v1/oidc/callback": "public",
  "GET /admin/v1/session": "member",
  "DELETE /admin/v1/session": "member",
  "PUT /admin/v1/session/password": "member",
  "GET /admin/v1/sessions": "member",
  "DELETE /admin/v1/sessions/:id": "member",
  "GET /admin/v1/keys": "member",
  "GET /admin/v1/keys/:id": "member",
  "POST /admin/v1/keys": "admin",
  "PATCH /admin/v1/keys/:id": "admin",
  "POST /admin/v1/keys/:id/rotate": "admin",
  "DELETE /admin/v1/keys/:id": "admin",
  "GET /admin/v1/teams": "viewer",
  "GET /admin/v1/teams/:id": "viewer",
  "GET /admin/v1/teams/:id/members": "viewer",
  "POST /admin/v1/teams": "admin",
  "PATCH /admin/v1/teams/:id": "admin",
  "DELETE /admin/v1/teams/:id": "admin",
  "POST /admin/v1/teams/:id/members": "admin",
  "DELETE /admin/v1/teams/:id/members/:user": "admin",
  "GET /admin/v1/users": "admin",
  "GET /admin/v1/users/:id": "admin",
  "POST /admin/v1/users": "admin",
  "PATCH /admin/v1/users/:id": "admin",
  "DELETE /admin/v1/users/:id": "admin",
  "GET /admin/v1/users/:id/tokens": "admin",
  "POST /admin/v1/users/:id/tokens": "admin",
  "DELETE /admin/v1/users/:id/tokens/:token": "admin",
  "GET /admin/v1/budgets": "viewer",
  "GET /admin/v1/budgets/:id": "viewer",
  "POST /admin/v1/budgets": "admin",
  "PATCH /admin/v1/budgets/:id": "admin",
  "DELETE /admin/v1/budgets/:id": "admin",
  "GET /admin/v1/limits": "viewer",
  "GET /admin/v1/limits/:id": "viewer",
  "POST /admin/v1/limits": "admin",
  "PATCH /admin/v1/limits/:id": "admin",
  "DELETE /admin/v1/limits/:id": "admin",
  "GET /admin/v1/usage": "member",
  "GET /admin/v1/savings": "viewer",
  "GET /admin/v1/experiments": "viewer",
  "GET /admin/v1/decisions": "viewer",
  "GET /admin/v1/decisions/:id": "viewer",
  "GET /admin/v1/ledger/export": "viewer",
  "POST /admin/v1/ledger/reprice": "admin",
  "GET /admin/v1/upstreams": "viewer",
  "POST /admin/v1/upstreams/:name/drain": "admin",
  "POST /admin/v1/upstreams/:name/resume": "admin",
  "GET /admin/v1/prices": "viewer",
  "GET /admin/v1/config": "viewer",
  "POST /admin/v1/config/validate": "owner",
  "POST /admin/v1/config/plan": "owner",
  "POST /admin/v1/config/apply": "owner",
  "GET /admin/v1/config/versions": "viewer",
  "GET /admin/v1/config/versions/:id": "viewer",
  "POST /admin/v1/config/versions/:id/roll-back": "owner",
  "GET /admin/v1/credentials": "admin",
  "PUT /admin/v1/credentials/:name": "admin",
  "DELETE /admin/v1/credentials/:name": "admin",
  "GET /admin/v1/audit": "admin",
  "POST /key/generate": "admin",
  "GET /key/info": "viewer",
  "POST /key/update": "admin",
  "POST /key/delete": "admin",
  "POST /user/new": "admin",
  "POST /team/new": "admin",
  "GET /model/info": "viewer",
  "GET /spend/logs": "viewer",
};

const password = "correct horse battery";
const people = new Map<Role, string>();
const tokens = new Map<Role, string>();
let rig: AdminRig;

beforeAll(async () => {
  rig = await adminRig();
  for (const role of roles) {
    const person = { kind: "person", email: `${role}@example.com`, role, password };
    expect((await rig.call("POST", "/admin/v1/users", { token: operatorToken, body: person })).status).toBe(201);
    people.set(role, person.email);
    const account = { kind: "service", name: `${role} account`, role };
    const { json: made } = await rig.call("POST", "/admin/v1/users", { token: operatorToken, body: account });
    const path = `/admin/v1/users/${made.id}/tokens`;
    const { json } = await rig.call("POST", path, { token: operatorToken, body: { name: "test" } });
    tokens.set(role, json.token);
  }
});
afterAll(() => rig.stop());

const signIn = async (role: Role) =>
  browserOf(await rig.call("POST", "/admin/v1/session", { body: { email: people.get(role), password } }));

const isSafe = (route: string): boolean => route.startsWith("GET ");
const send = (route: string, options: { token?: string | undefined; headers?: Record<string, string> }) => {
  const [method = "", path = ""] = route.split(" ");
  return rig.call(method, path.replaceAll(/:\w+/g, "none"), options);
};

/** Whether a call got past the question of who may: what then comes depends on the route. */
async function verdict(route: string, options: Parameters<typeof send>[1]): Promise<string> {
  const { status, json } = await send(route, options);
  if (status === 401) return json.error.code === "unauthorized" ? "unauthorized" : `401 ${json.error.code}`;
  if (status === 403) return String(json.error.code);
  return status < 500 ? "passed" : `failed with ${status}`;
}

const enough = (role: Role, needed: Role | "public"): boolean =>
  needed === "public" || roles.indexOf(role) <= roles.indexOf(needed);

describe("authorisation", () => {
  test("every route has a row here, and every row is a route", () => {
    expect(rig.routes.toSorted()).toEqual(Object.keys(table).toSorted());
  });

  test("the document lists the same routes, each with the permission it needs", async () => {
    const { json } = await rig.call("GET", "/admin/v1/openapi.json");
    const documented = Object.entries(json.paths as Record<string, Record<string, Record<string, unknown>>>).flatMap(
      ([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => {
          expect(operation["x-permission"]).toBeString();
          expect(operation["security"] === undefined).toBe(operation["x-permission"] === "public");
          return `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`;
        }),
    );
    const served = Object.keys(table).filter((route) => !route.endsWith("openapi.json"));
    expect(documented.toSorted()).toEqual(served.toSorted());
  });

  for (const [route, needed] of Object.entries(table)) {
    test(`${route} is for ${needed}`, async () => {
      // The two public changes would judge a password or token, and are tested on their own.
      const nobody = needed === "public" ? "passed" : "unauthorized";
      expect(await verdict(route, {})).toBe(nobody);
      expect(await verdict(route, { token: "fla-unknown" })).toBe(nobody);
      expect(await verdict(route, { headers: { cookie: "fairlead_session=unknown" } })).toBe(nobody);
      for (const role of roles) {
        const expected = enough(role, needed) ? "passed" : "role_forbids";
        expect(`${role} ${await verdict(route, { token: tokens.get(role) })}`).toBe(`${role} ${expected}`);
        const browser = await signIn(role);
        const { cookie } = browser;
        const bare = isSafe(route) || needed === "public" ? expected : "cross_site_refused";
        expect(`${role} ${await verdict(route, { headers: { cookie } })}`).toBe(`${role} ${bare}`);
        const foreign = { ...pageHeaders(browser), origin: "https://evil.example" };
        const refused = isSafe(route) ? expected : "cross_site_refused";
        expect(`${role} ${await verdict(route, { headers: foreign })}`).toBe(`${role} ${refused}`);
        expect(`${role} ${await verdict(route, { headers: pageHeaders(browser) })}`).toBe(`${role} ${expected}`);
      }
    });
  }

  test("an ended session opens nothing", async () => {
    const browsers = new Map<Role, Awaited<ReturnType<typeof signIn>>>();
    for (const role of roles) browsers.set(role, await signIn(role));
    await rig.clock.advance(12 * 3_600_000);
    for (const [route, needed] of Object.entries(table)) {
      if (needed === "public") continue;
      for (const browser of browsers.values()) {
        expect(`${route} ${await verdict(route, { headers: pageHeaders(browser) })}`).toBe(`${route} unauthorized`);
      }
    }
  });
});
