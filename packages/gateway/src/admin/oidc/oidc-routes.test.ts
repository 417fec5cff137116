import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Server } from "bun";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type AdminRig, adminRig, firstRunToken, operatorToken } from "../../../test/fixtures/admin-rig.ts";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import { Secret } from "../../lib/secret.ts";

const clientId = "fairlead";
const clientSecret = "oidc-client-secret-of-the-test";

/** A small identity provider: whoever comes is signed in at once, as the person it is told. */
class Provider {
  readonly server: Server<undefined>;
  claims: Record<string, unknown> = {};
  /** Changes of the ID token, to be refused. */
  forge: Record<string, unknown> = {};
  signWithOther = false;
  down = false;
  readonly #codes = new Map<string, { challenge: string; nonce: string; redirect: string }>();
  readonly #keys = generateKeyPair("ES256", { extractable: true });
  readonly #others = generateKeyPair("ES256");

  constructor() {
    this.server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#answer(request) });
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    if (this.down) return new Response("down", { status: 503 });
    const url = new URL(request.url);
    if (url.pathname === "/.well-known/openid-configuration") return Response.json(this.#metadata());
    if (url.pathname === "/jwks") {
      const { publicKey } = await this.#keys;
      return Response.json({ keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" }] });
    }
    if (url.pathname === "/authorize") return this.#authorize(url.searchParams);
    if (url.pathname === "/token") return this.#token(new URLSearchParams(await request.text()));
    return new Response("", { status: 404 });
  }

  #metadata() {
    const { issuer } = this;
    const at = (path: string) => `${issuer}${path}`;
    return {
      issuer,
      authorization_endpoint: at("/authorize"),
      token_endpoint: at("/token"),
      jwks_uri: at("/jwks"),
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    };
  }

  #authorize(asked: URLSearchParams): Response {
    const [redirect = "", state = ""] = [asked.get("redirect_uri") ?? "", asked.get("state") ?? ""];
    expect(asked.get("client_id")).toBe(clientId);
    expect(asked.get("code_challenge_method")).toBe("S256");
    const code = `code-${this.#codes.size + 1}`;
    const [challenge, nonce] = [asked.get("code_challenge") ?? "", asked.get("nonce") ?? ""];
    this.#codes.set(code, { challenge, nonce, redirect });
    const location = `${redirect}?${new URLSearchParams({ code, state, iss: this.issuer })}`;
    return new Response(null, { status: 302, headers: { location } });
  }

  async #token(form: URLSearchParams): Promise<Response> {
    const code = form.get("code") ?? "";
    const known = this.#codes.get(code);
    this.#codes.delete(code);
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const right =
      known !== undefined &&
      known.challenge === challenge &&
      known.redirect === form.get("redirect_uri") &&
      form.get("client_secret") === clientSecret;
    if (!right) return Response.json({ error: "invalid_grant" }, { status: 400 });
    const { privateKey } = await (this.signWithOther ? this.#others : this.#keys);
    const times = { iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 60 };
    const payload = { iss: this.issuer, aud: clientId, nonce: known.nonce, ...times, ...this.claims, ...this.forge };
    const idToken = await new SignJWT(payload).setProtectedHeader({ alg: "ES256", kid: "one" }).sign(privateKey);
    return Response.json({ access_token: "access", token_type: "Bearer", id_token: idToken });
  }
}

let provider: Provider;
let rig: AdminRig;
beforeAll(() => {
  provider = new Provider();
});
afterAll(() => provider.server.stop(true));
beforeEach(async () => {
  Object.assign(provider, { claims: {}, forge: {}, signWithOther: false, down: false });
  rig = await adminRig({
    clock: new FakeClock(),
    oidc: {
      issuer: provider.issuer,
      clientId,
      clientSecret: new Secret(clientSecret),
      scopes: ["openid", "email"],
      roleClaim: "groups",
      roles: { admins: "admin", readers: "viewer" },
      defaultRole: undefined,
    },
  });
});
afterEach(() => rig.stop());

/** Goes to the provider and back, as a browser does. */
async function roundTrip(
  claims: Record<string, unknown>,
  more: { readonly path?: string; readonly cookie?: string } = {},
) {
  provider.claims = claims;
  const login = await rig.call("GET", more.path ?? "/admin/v1/oidc/login");
  expect(login.status).toBe(302);
  const redirected = await fetch(login.headers.get("location") ?? "", {
    redirect: "manual",
    proxy: false,
  } as RequestInit);
  const back = new URL(redirected.headers.get("location") ?? "");
  expect(back.origin).toBe("http://fairlead.test");
  const cookie = more.cookie ?? login.headers.get("set-cookie")?.split(";")[0] ?? "";
  return rig.call("GET", `${back.pathname}${back.search}`, { headers: { cookie } });
}

const sessionOf = (headers: Headers): string =>
  headers
    .getSetCookie()
    .find((cookie) => cookie.startsWith("fairlead_session="))
    ?.split(";")[0] ?? "";
const me = async (headers: Headers) =>
  (await rig.call("GET", "/admin/v1/session", { headers: { cookie: sessionOf(headers) } })).json;

const ann = { sub: "1", email: "Ann@example.com", email_verified: true, groups: ["readers", "others"] };

describe("signing in through OpenID Connect", () => {
  test("makes an account with the role the claims map to, and finds it again; the role follows the claims", async () => {
    const first = await roundTrip(ann);
    expect(first.status).toBe(303);
    expect(first.headers.get("location")).toBe("/admin/v1/session");
    const person = await me(first.headers);
    expect(person).toMatchObject({ kind: "session", name: "ann@example.com", role: "viewer" });
    const again = await roundTrip({ ...ann, email: "new@example.com", groups: ["readers", "admins"] });
    expect(await me(again.headers)).toMatchObject({ user: person.user, role: "admin" });
  });

  test("people without a role and disabled accounts are refused", async () => {
    expect((await roundTrip({ ...ann, groups: ["others"] })).json.error.code).toBe("role_forbids");
    expect((await rig.directory.list("user", { limit: 10 })).items).toEqual([]);
    const { user } = await me((await roundTrip(ann)).headers);
    await rig.call("PATCH", `/admin/v1/users/${user}`, { token: operatorToken, body: { disabled: true } });
    expect((await roundTrip(ann)).json.error.code).toBe("role_forbids");
  });

  test("a verified address joins the account that has it, which keeps its role; an unverified one does not", async () => {
    const body = { token: firstRunToken, email: "ann@example.com", password: "correct horse battery" };
    await rig.call("POST", "/admin/v1/setup", { body });
    expect((await roundTrip({ ...ann, email_verified: false })).json.error.code).toBe("role_forbids");
    expect(await me((await roundTrip(ann)).headers)).toMatchObject({ name: "ann@example.com", role: "owner" });
    expect((await roundTrip({ ...ann, sub: "2" })).json.error.code).toBe("role_forbids");
  });

  test("an answer that this browser did not ask for, or too late, is refused", async () => {
    expect((await roundTrip(ann, { cookie: "none=1" })).status).toBe(401);
    const other = await rig.call("GET", "/admin/v1/oidc/login");
    const foreign = other.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect((await roundTrip(ann, { cookie: foreign })).status).toBe(401);
    const login = await rig.call("GET", "/admin/v1/oidc/login");
    const cookie = login.headers.get("set-cookie")?.split(";")[0] ?? "";
    await rig.clock.advance(600_000);
    const late = await rig.call("GET", "/admin/v1/oidc/callback?code=code-1&state=x", { headers: { cookie } });
    expect(late.json.error.message).toContain("took too long");
    const refused = await rig.call("GET", "/admin/v1/oidc/callback?error=access_denied", { headers: { cookie } });
    expect(refused.status).toBe(401);
  });

  test("an ID token with another nonce, audience, issuer, time or signature is refused", async () => {
    const forgeries = [{ nonce: "other" }, { aud: "other" }, { iss: "http://other.test" }, { exp: 1 }];
    for (const forge of forgeries) {
      provider.forge = forge;
      expect(`${JSON.stringify(forge)} ${(await roundTrip(ann)).status}`).toBe(`${JSON.stringify(forge)} 401`);
    }
    provider.forge = {};
    provider.signWithOther = true;
    expect((await roundTrip(ann)).status).toBe(401);
    expect((await rig.directory.list("session", { limit: 10 })).items).toEqual([]);
  });

  test("the browser comes back to a path of this gateway and nowhere else", async () => {
    const inside = await roundTrip(ann, { path: "/admin/v1/oidc/login?return_to=/admin/keys" });
    expect(inside.headers.get("location")).toBe("/admin/keys");
    for (const place of ["//evil.example", "https://evil.example", "/\\evil.example"]) {
      const answer = await rig.call("GET", `/admin/v1/oidc/login?return_to=${encodeURIComponent(place)}`);
      expect(answer.status).toBe(400);
    }
  });

  test("a provider that is down is an outage that ends when it is back", async () => {
    provider.down = true;
    expect((await rig.call("GET", "/admin/v1/oidc/login")).status).toBe(503);
    provider.down = false;
    expect((await rig.call("GET", "/admin/v1/oidc/login")).status).toBe(302);
  });
});
