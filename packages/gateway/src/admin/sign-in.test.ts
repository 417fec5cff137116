import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  type AdminRig,
  adminRig,
  browserOf,
  firstRunToken,
  operatorToken,
  pageHeaders,
  quickPasswords,
} from "../../test/fixtures/admin-rig.ts";
import type { PasswordHash } from "../keys/password-hash.ts";
import { argon2Passwords } from "../stores/credentials/argon2-passwords.ts";
import { PasswordGate } from "./password-gate.ts";

const path = "/admin/v1/session";
const owner = { email: "owner@example.com", password: "correct horse battery" };
let rig: AdminRig;

beforeEach(async () => {
  rig = await adminRig();
});
afterEach(() => rig.stop());

const setUp = (token = firstRunToken) => rig.call("POST", "/admin/v1/setup", { body: { token, ...owner } });
const signIn = (password = owner.password, headers = {}) =>
  rig.call("POST", path, { body: { email: owner.email, password }, headers });
const signedIn = async () => {
  await setUp();
  return browserOf(await signIn());
};

describe("the first run", () => {
  test("the first-run token makes one owner, signed in at once, and is worth nothing afterwards", async () => {
    expect((await rig.call("GET", "/admin/v1/sign-in-options")).json).toEqual({ setup_needed: true, oidc: false });
    expect((await setUp("wrong")).status).toBe(401);
    const made = await setUp();
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({ kind: "session", name: owner.email, role: "owner" });
    expect((await setUp()).status).toBe(401);
    expect((await rig.call("GET", "/admin/v1/sign-in-options")).json.setup_needed).toBe(false);
    const cookie = browserOf(made).cookie;
    expect((await rig.call("GET", "/admin/v1/users", { headers: { cookie } })).status).toBe(200);
  });

  test("two who send the token at once make one owner", async () => {
    const ends = await Promise.all([setUp(), setUp()]);
    expect(ends.map(({ status }) => status).toSorted()).not.toEqual([201, 201]);
    expect((await rig.directory.list("user", { limit: 10 })).items).toHaveLength(1);
  });

  test("the token may not be guessed", async () => {
    for (let at = 0; at < 5; at++) expect((await setUp(`guess ${at}`)).status).toBe(401);
    expect((await setUp()).status).toBe(429);
    await rig.clock.advance(1_000);
    expect((await setUp()).status).toBe(201);
  });

  test("short passwords are refused without being repeated", async () => {
    const answer = await rig.call("POST", "/admin/v1/setup", {
      body: { token: firstRunToken, ...owner, password: "p4ssw0rd" },
    });
    expect(answer.json.error).toMatchObject({ code: "invalid_request", param: "password" });
    expect(answer.text).not.toContain("p4ssw0rd");
  });
});

describe("signing in with a password", () => {
  test("gives a cookie that scripts cannot read, other sites' changes do not carry, and that only /admin gets", async () => {
    await setUp();
    const answer = await signIn();
    expect(answer.status).toBe(201);
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^fairlead_session=[\w-]{43}; Path=\/admin; Max-Age=43200; HttpOnly; SameSite=Lax$/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const me = await rig.call("GET", path, { headers: { cookie: cookie.split(";")[0] ?? "" } });
    expect(me.json).toEqual(answer.json);
  });

  test("the cookie is for TLS only where browsers come over TLS", async () => {
    const secure = await adminRig({ publicUrl: "https://gateway.example" });
    const made = await secure.call("POST", "/admin/v1/setup", { body: { token: firstRunToken, ...owner } });
    expect(made.headers.get("set-cookie")).toContain("; Secure");
    const headers = { ...pageHeaders(browserOf(made)), origin: "https://gateway.example" };
    expect((await secure.call("DELETE", path, { headers })).status).toBe(200);
    await secure.stop();
  });

  test("wrong passwords and unknown accounts get the same answer, and stand in the audit log", async () => {
    await setUp();
    const wrong = await signIn("wrong");
    const unknown = await rig.call("POST", path, { body: { email: "nobody@example.com", password: "wrong" } });
    expect(wrong.status).toBe(401);
    expect(unknown.text).toBe(wrong.text);
    const { items } = await rig.directory.list("audit", { limit: 10, where: { action: "session.refused" } });
    expect(items.map(({ subject, address }) => `${subject} ${address}`).toSorted()).toEqual([
      "account:nobody@example.com 192.0.2.7",
      "account:owner@example.com 192.0.2.7",
    ]);
  });

  test("unknown accounts cost as much work as known ones", async () => {
    const checked: string[] = [];
    const counting: PasswordHash = {
      ...quickPasswords,
      verify: (password, hash) => {
        checked.push(password);
        return quickPasswords.verify(password, hash);
      },
    };
    const counted = await adminRig({ passwords: counting });
    await counted.call("POST", path, { body: { email: "nobody@example.com", password: "guess" } });
    expect(checked).toEqual(["guess"]);
    await counted.stop();
  });

  test("each sign-in makes a new session and ends the one the browser had", async () => {
    const first = await signedIn();
    const second = browserOf(await signIn(owner.password, { cookie: first.cookie }));
    expect(second.cookie).not.toBe(first.cookie);
    expect((await rig.call("GET", path, { headers: { cookie: first.cookie } })).status).toBe(401);
    expect((await rig.call("GET", path, { headers: { cookie: second.cookie } })).status).toBe(200);
  });

  test("signing out ends the session on this side as well", async () => {
    const browser = await signedIn();
    const answer = await rig.call("DELETE", path, { headers: pageHeaders(browser) });
    expect(answer.headers.get("set-cookie")).toContain("Max-Age=0");
    expect((await rig.call("GET", path, { headers: { cookie: browser.cookie } })).status).toBe(401);
  });

  test("sessions are listed and ended by their owner only", async () => {
    const browser = await signedIn();
    const other = browserOf(await signIn());
    const { json } = await rig.call("GET", "/admin/v1/sessions", { headers: { cookie: other.cookie } });
    expect(json.data.map((one: { current: boolean }) => one.current).toSorted()).toEqual([false, false, true]);
    const first = json.data.find((one: { current: boolean }) => !one.current);
    const foreign = await rig.call("DELETE", `/admin/v1/sessions/${first.id}`, { token: operatorToken });
    expect(foreign.status).toBe(404);
    for (const { id, current } of json.data) {
      if (current) continue;
      const ended = await rig.call("DELETE", `/admin/v1/sessions/${id}`, { headers: pageHeaders(other) });
      expect(ended.json).toEqual({ id, deleted: true });
    }
    expect((await rig.call("GET", path, { headers: { cookie: browser.cookie } })).status).toBe(401);
  });

  test("a session ends when it is not used for two hours, and after twelve in any case", async () => {
    const browser = await signedIn();
    const me = () => rig.call("GET", path, { headers: { cookie: browser.cookie } });
    for (let at = 0; at < 7; at++) {
      await rig.clock.advance(100 * 60_000);
      expect((await me()).status).toBe(200);
    }
    await rig.clock.advance(19 * 60_000);
    expect((await me()).status).toBe(200);
    await rig.clock.advance(60_000);
    expect((await me()).status).toBe(401);
    const idle = browserOf(await signIn());
    await rig.clock.advance(120 * 60_000);
    expect((await rig.call("GET", path, { headers: { cookie: idle.cookie } })).status).toBe(401);
  });

  test("a new password or a disabled account ends every session of the account", async () => {
    const browser = await signedIn();
    const { json: me } = await rig.call("GET", path, { headers: { cookie: browser.cookie } });
    const user = `/admin/v1/users/${me.user}`;
    await rig.call("PATCH", user, { token: operatorToken, body: { password: "another long password" } });
    expect((await rig.call("GET", path, { headers: { cookie: browser.cookie } })).status).toBe(401);
    expect((await signIn()).status).toBe(401);
    const again = browserOf(await signIn("another long password"));
    const second = { kind: "person", email: "second@example.com", role: "owner" };
    await rig.call("POST", "/admin/v1/users", { token: operatorToken, body: second });
    expect((await rig.call("PATCH", user, { token: operatorToken, body: { disabled: true } })).status).toBe(200);
    expect((await rig.call("GET", path, { headers: { cookie: again.cookie } })).status).toBe(401);
    expect((await signIn("another long password")).status).toBe(401);
  });

  test("people change their own password, knowing the old one, and their other sessions end", async () => {
    const other = await signedIn();
    const browser = browserOf(await signIn());
    const change = (current: string) =>
      rig.call("PUT", `${path}/password`, {
        headers: pageHeaders(browser),
        body: { current, password: "a password that is new" },
      });
    expect((await change("wrong")).json.error.param).toBe("current");
    expect((await change(owner.password)).json).toEqual({ changed: true });
    expect((await rig.call("GET", path, { headers: { cookie: other.cookie } })).status).toBe(401);
    expect((await rig.call("GET", path, { headers: { cookie: browser.cookie } })).status).toBe(200);
    expect((await signIn()).status).toBe(401);
    expect((await signIn("a password that is new")).status).toBe(201);
    const body = { current: "any", password: "a password that is new" };
    expect((await rig.call("PUT", `${path}/password`, { token: operatorToken, body })).status).toBe(409);
  });

  test("a changed CSRF token, a missing origin and another site's origin are refused", async () => {
    const browser = await signedIn();
    const headers = pageHeaders(browser);
    const { origin: _, ...withoutOrigin } = headers;
    for (const wrong of [withoutOrigin, { ...headers, "x-csrf-token": "x" }, { ...headers, origin: "null" }]) {
      const answer = await rig.call("POST", "/admin/v1/teams", { headers: wrong, body: { name: "t" } });
      expect(`${answer.status} ${answer.json.error.code}`).toBe("403 cross_site_refused");
    }
    const body = { email: owner.email, password: owner.password };
    const foreign = await rig.call("POST", path, { body, headers: { origin: "https://evil.example" } });
    expect(foreign.status).toBe(403);
    expect((await rig.call("POST", "/admin/v1/teams", { headers, body: { name: "t" } })).status).toBe(201);
  });
});

describe("guessing", () => {
  const from = (address: string) => ({ "x-test-address": address });

  test("locks a client's tries at an account for longer each time, with Retry-After", async () => {
    await setUp();
    for (let at = 0; at < 5; at++) expect((await signIn("wrong")).status).toBe(401);
    const locked = await signIn();
    expect(locked.status).toBe(429);
    expect(locked.json.error.code).toBe("locked_out");
    expect(locked.headers.get("retry-after")).toBe("1");
    await rig.clock.advance(1_000);
    expect((await signIn("wrong")).status).toBe(401);
    expect((await signIn()).headers.get("retry-after")).toBe("2");
    const other = await rig.call("POST", path, { body: { email: "other@example.com", password: "x" } });
    expect(other.status).toBe(401);
    await rig.clock.advance(2_000);
    expect((await signIn()).status).toBe(201);
    expect((await signIn("wrong")).status).toBe(401);
    expect((await signIn()).status).toBe(201);
  });

  test("a stranger who guesses keeps neither the account's owner out nor others at the same address", async () => {
    await setUp();
    for (let at = 0; at < 5; at++) expect((await signIn("wrong", from("198.51.100.1"))).status).toBe(401);
    expect((await signIn("wrong", from("198.51.100.1"))).status).toBe(429);
    expect((await signIn(owner.password, from("198.51.100.2"))).status).toBe(201);
    for (let at = 0; at < 5; at++) {
      await rig.call("POST", path, { body: { email: "other@example.com", password: "x" } });
    }
    expect((await signIn()).status).toBe(201);
  });

  test("guesses from many addresses lock an account for seconds only", async () => {
    await setUp();
    for (let at = 0; at < 110; at++) {
      await signIn("wrong", from(`198.51.100.${at}`));
      await rig.clock.advance(5_000);
    }
    await signIn("wrong", from("203.0.113.1"));
    expect((await signIn()).headers.get("retry-after")).toBe("5");
    await rig.clock.advance(5_000);
    expect((await signIn()).status).toBe(201);
  });

  test("locks an address that tries many accounts", async () => {
    const guess = (at: number) => rig.call("POST", path, { body: { email: `${at}@example.com`, password: "x" } });
    for (let at = 0; at < 50; at++) expect((await guess(at)).status).toBe(401);
    expect((await guess(50)).status).toBe(429);
  });

  test("right tries at once are no failures; at once after a lock only one is let in", async () => {
    await setUp();
    const atOnce = async (password: string) => {
      const ends = await Promise.all(Array.from({ length: 8 }, () => signIn(password)));
      return ends.map(({ status }) => status).toSorted();
    };
    expect(await atOnce(owner.password)).toEqual(Array(8).fill(201));
    expect(await atOnce("wrong")).toEqual(Array(8).fill(401));
    await rig.clock.advance(8_000);
    expect(await atOnce("wrong")).toEqual([401, ...Array(7).fill(429)]);
  });
});

describe("passwords", () => {
  test("are hashed with argon2id and checked against it", async () => {
    const hash = await argon2Passwords.hash("correct horse battery");
    expect(hash).toStartWith("$argon2id$");
    expect(await argon2Passwords.verify("correct horse battery", hash)).toBe(true);
    expect(await argon2Passwords.verify("correct horse", hash)).toBe(false);
    expect(await argon2Passwords.verify("any", "no hash")).toBe(false);
  });

  test("are checked two at a time; a bounded number waits, the rest is told to come again", async () => {
    let running = 0;
    let most = 0;
    const ends: (() => void)[] = [];
    const slow: PasswordHash = {
      hash: async () => "",
      verify: () =>
        new Promise((resolve) => {
          most = Math.max(most, ++running);
          ends.push(() => {
            running--;
            resolve(true);
          });
        }),
    };
    const gate = new PasswordGate(slow);
    const tries = Array.from({ length: 20 }, () => gate.verify("p", "h").catch(({ code }) => code));
    for (let at = 0; at < 18; at++) {
      while (ends.length === 0) await Promise.resolve();
      ends.shift()?.();
    }
    const results = await Promise.all(tries);
    expect(most).toBe(2);
    expect(results.filter((result) => result === true)).toHaveLength(18);
    expect(results.filter((result) => result === "overcapacity")).toHaveLength(2);
    const again = gate.verify("p", "h");
    while (ends.length === 0) await Promise.resolve();
    ends.shift()?.();
    expect(await again).toBe(true);
  });
});
