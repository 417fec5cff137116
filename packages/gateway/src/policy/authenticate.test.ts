import { expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { keyHash } from "../keys/key-hash.ts";
import { KeyRing, type KeyRingOptions } from "../keys/key-ring.ts";
import { Secret } from "../lib/secret.ts";
import { authenticate } from "./authenticate.ts";

const hash = keyHash(new Secret("a secret of more than thirty-two characters"));
const ring = (more: Partial<KeyRingOptions> = {}): KeyRing => new KeyRing({ hash, clock: new FakeClock(), ...more });
const codeOf = (keys: KeyRing, headers: Record<string, string> = {}): unknown => {
  try {
    return authenticate(new Headers(headers), keys);
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
};

test("while keys were never loaded, who sends none hears that nobody knows yet whether one is needed", () => {
  const keys = ring();
  expect(codeOf(keys)).toBe("store_unavailable");
  keys.replace({ keys: [], teams: [], disabledUsers: [] });
  expect(codeOf(keys)).toMatchObject({ kind: "anonymous" });
});

test("where the config asks for a key, none is a 401, loaded or not", () => {
  expect(codeOf(ring({ sharedKey: new Secret("the shared key") }))).toBe("unauthorized");
  expect(codeOf(ring({ required: true }))).toBe("unauthorized");
});

test.each([
  ["Authorization", "Bearer the shared key"],
  ["Authorization", "bearer the shared key"],
  ["x-api-key", "the shared key"],
])("the key is taken from %s: %s", (name, value) => {
  const keys = ring({ sharedKey: new Secret("the shared key") });
  expect(codeOf(keys, { [name]: value })).toMatchObject({ kind: "shared-key" });
});
