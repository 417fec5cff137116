import { describe, expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { GatewayError } from "../core/errors.ts";
import { Secret } from "../lib/secret.ts";
import type { Team, User, VirtualKey } from "./directory-entities.ts";
import { keyHash } from "./key-hash.ts";
import { KeyRing, type KeyRingContent } from "./key-ring.ts";
import { keyPrefix, newKeyText } from "./key-text.ts";
import type { TokenClaims, TokenVerifier } from "./token-verifier.ts";

const hash = keyHash(new Secret("a secret of more than thirty-two characters"));

const key = (text: string, more: Partial<VirtualKey> = {}): VirtualKey => ({
  id: `id of ${text}`,
  version: 1,
  createdAt: 0,
  name: text,
  prefix: "fl-…",
  hash: hash(text),
  previous: undefined,
  team: undefined,
  user: undefined,
  models: [],
  strategies: undefined,
  aliases: {},
  strategy: undefined,
  tags: [],
  region: undefined,
  expiresAt: undefined,
  disabled: false,
  ...more,
});

const team = (name: string, more: Partial<Team> = {}): Team => ({
  id: name,
  version: 1,
  createdAt: 0,
  name,
  models: [],
  tags: [],
  disabled: false,
  ...more,
});

const user = (id: string): User => ({
  id,
  version: 1,
  createdAt: 0,
  kind: "person",
  name: id,
  role: "member",
  disabled: true,
  passwordHash: undefined,
  oidcSubject: undefined,
});

function ring(content: Partial<KeyRingContent> | undefined, more: { sharedKey?: Secret; tokens?: TokenVerifier } = {}) {
  const clock = new FakeClock();
  const made = new KeyRing({ hash, clock, ...more });
  const replace = (next: Partial<KeyRingContent>) => made.replace({ keys: [], teams: [], disabledUsers: [], ...next });
  if (content !== undefined) replace(content);
  return { ring: made, clock, replace };
}

const refusal = (work: () => unknown): string => {
  try {
    return `no refusal: ${JSON.stringify(work())}`;
  } catch (error) {
    return error instanceof GatewayError ? `${error.code}: ${error.message}` : String(error);
  }
};

describe("KeyRing", () => {
  test("a key's principal carries what the key and its team say, and is the same object each time", () => {
    const mine = key("fl-1", {
      team: "blue",
      models: ["a*"],
      strategies: ["local_first"],
      aliases: { fast: "small" },
      strategy: "cloud_first",
      tags: ["x", "experiment:models=b", "shadow:next"],
      region: "eu",
      user: "u",
    });
    const { ring: made } = ring({
      keys: [mine],
      teams: [team("blue", { models: ["abc"], tags: ["y", "x"], priority: "batch" })],
    });
    const principal = made.find("fl-1");
    expect(principal).toEqual({
      kind: "virtual-key",
      keyId: "id of fl-1",
      keyName: mine.name,
      team: "blue",
      user: "u",
      allowedModels: [["a*"], ["abc"]],
      allowedStrategies: new Set(["local_first"]),
      aliases: new Map([["fast", "small"]]),
      strategy: "cloud_first",
      tags: ["x", "y"],
      region: "eu",
      isLocalOnly: false,
      priority: "batch",
    });
    expect(made.find("fl-1")).toBe(principal as never);
  });

  test("a principal is kept over reloads until its key or team changes", () => {
    const { ring: made, replace } = ring({ keys: [key("fl-1", { team: "blue" })], teams: [team("blue")] });
    const first = made.find("fl-1");
    replace({ keys: [key("fl-1", { team: "blue" }), key("fl-2")], teams: [team("blue")] });
    expect(made.find("fl-1")).toBe(first as never);
    replace({ keys: [key("fl-1", { team: "blue" })], teams: [team("blue", { version: 2, tags: ["new"] })] });
    expect(made.find("fl-1")).toMatchObject({ tags: ["new"] });
    replace({ keys: [key("fl-1", { version: 2, tags: ["own"] })] });
    expect(made.find("fl-1")).toMatchObject({ tags: ["own"], team: undefined });
    replace({});
    expect(made.find("fl-2")).toMatchObject({ kind: "anonymous" });
  });

  test("unknown keys are unknown, whatever they look like", () => {
    const { ring: made } = ring({ keys: [key("fl-1")] });
    for (const text of ["", "fl-", "fl-2", "FL-1", "fl-1 ", hash("fl-1"), "__proto__"]) {
      expect(made.find(text)).toBeUndefined();
    }
  });

  test("expired and disabled keys, teams and users are refused with the reason", async () => {
    const clockNow = new FakeClock().now();
    const { ring: made, clock } = ring({
      keys: [
        key("fl-disabled", { disabled: true }),
        key("fl-expiring", { expiresAt: clockNow + 1_000 }),
        key("fl-team", { team: "off" }),
        key("fl-user", { user: "gone" }),
      ],
      teams: [team("off", { disabled: true })],
      disabledUsers: [user("gone")],
    });
    expect(refusal(() => made.find("fl-disabled"))).toBe("unauthorized: This API key is disabled.");
    expect(made.find("fl-expiring")).toMatchObject({ kind: "virtual-key" });
    await clock.advance(1_000);
    expect(refusal(() => made.find("fl-expiring"))).toBe("unauthorized: This API key has expired.");
    expect(refusal(() => made.find("fl-team"))).toContain("team");
    expect(refusal(() => made.find("fl-user"))).toContain("account");
  });

  test("after a rotation the old key is taken until its grace is over, as the same principal", async () => {
    const graceUntil = new FakeClock().now() + 60_000;
    const rotated = key("fl-new", { previous: { hash: hash("fl-old"), graceUntil } });
    const { ring: made, clock } = ring({ keys: [rotated] });
    expect(made.find("fl-old")).toBe(made.find("fl-new") as never);
    await clock.advance(60_000);
    expect(refusal(() => made.find("fl-old"))).toContain("grace is over");
    expect(made.find("fl-new")).toMatchObject({ kind: "virtual-key" });
  });

  test("everyone is let in only while no key of any kind exists", () => {
    const tokens: TokenVerifier = { looksLike: () => false, verify: () => Promise.reject(new Error("unused")) };
    expect(ring({}).ring.open).toBe(true);
    expect(ring({ keys: [key("fl-1")] }).ring.open).toBe(false);
    expect(ring({ keys: [key("fl-1", { disabled: true })] }).ring.open).toBe(false);
    expect(ring({}, { sharedKey: new Secret("shared") }).ring.open).toBe(false);
    expect(ring({}, { tokens }).ring.open).toBe(false);
  });

  test("before the keys are loaded nobody is let in unseen: the shared key works, the rest is an outage", () => {
    const { ring: made } = ring(undefined, { sharedKey: new Secret("shared") });
    expect(made.open).toBe(false);
    expect(made.find("shared")).toMatchObject({ kind: "shared-key", keyId: "shared" });
    expect(refusal(() => made.find("fl-1"))).toContain("store_unavailable");
    expect(ring(undefined).ring.open).toBe(false);
  });

  test("another shared key takes the place of the one before at once, and stored keys stay", () => {
    const { ring: made } = ring({ keys: [key("fl-1")], teams: [] }, { sharedKey: new Secret("old") });
    const stored = made.find("fl-1");
    made.follow({ sharedKey: new Secret("new"), required: false, anonymous: false });
    expect(made.find("old")).toBeUndefined();
    expect(made.find("new")).toMatchObject({ kind: "shared-key" });
    expect(made.find("fl-1")).toBe(stored as never);
    made.follow({ sharedKey: undefined, required: true, anonymous: false });
    expect(made.find("new")).toBeUndefined();
    expect(made.find("fl-1")).toBe(stored as never);
  });

  test("a signed token's team must exist, and its limits hold", async () => {
    const claims = (name: string | undefined): TokenClaims => ({ issuer: "i", user: "ann", team: name, tags: ["t"] });
    const known = { blue: claims("blue"), none: claims(undefined), ghost: claims("ghost") };
    const tokens: TokenVerifier = {
      looksLike: (text) => text in known,
      verify: (text) => (text === "blue" ? Promise.resolve(known.blue) : known[text as "none" | "ghost"]),
    };
    const { ring: made } = ring({ teams: [team("blue", { models: ["m"], tags: ["b"] })] }, { tokens });
    const blue = await made.find("blue");
    expect(blue).toMatchObject({ kind: "token", user: "ann", team: "blue", allowedModels: [["m"]], tags: ["t", "b"] });
    expect(await made.find("blue")).toBe(blue as never);
    expect(made.find("none")).toMatchObject({ kind: "token", team: undefined });
    expect(refusal(() => made.find("ghost"))).toContain("does not exist");
  });
});

describe("tokens of two issuers", () => {
  test("for people of one name count apart, and each counts as before after a restart", async () => {
    const { ring: made } = ring(
      {},
      { tokens: { looksLike: () => true, verify: (issuer) => ({ issuer, user: "ann", team: undefined, tags: [] }) } },
    );
    const idOf = async (issuer: string) => (await made.find(issuer))?.keyId;
    expect(await idOf("https://a.example")).not.toBe(await idOf("https://b.example"));
    expect(await idOf("https://a.example")).toBe(await idOf("https://a.example"));
    expect(await idOf("https://a.example")).toMatch(/^jwt:[0-9a-f]{12}:ann$/);
  });
});

describe("key texts", () => {
  test("hold 256 random bits in letters and digits, and differ", () => {
    const ones = new Uint8Array(32).fill(255);
    expect(newKeyText("fl", () => ones)).toMatch(/^fl-[0-9A-Za-z]{43}$/);
    expect(newKeyText("fla", () => new Uint8Array(32))).toBe(`fla-${"0".repeat(43)}`);
    expect(newKeyText("fl", () => ones)).not.toBe(newKeyText("fl", () => new Uint8Array(32).fill(254)));
  });

  test("prefixes show little, of keys that somebody chose as well", () => {
    expect(keyPrefix("fl-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")).toBe("fl-abcdef…");
    expect(keyPrefix("0123456789abcdef0123456789abcdef")).toBe("01234…");
  });

  test("are stored as hashes that another secret does not give", () => {
    expect(hash("fl-1")).not.toBe(keyHash(new Secret("another secret of thirty-two characters"))("fl-1"));
  });
});
