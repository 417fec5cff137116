import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { Secret } from "../../lib/secret.ts";
import { aesVault } from "./aes-vault.ts";

const vault = aesVault(new Secret("a secret of more than thirty-two characters"), randomBytes);
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "opened",
    ({ code }) => code,
  );

test("what was sealed opens again, and shows nothing while it is sealed", async () => {
  const sealed = await vault.seal("cloud", "sk-provider-secret ü");
  expect(sealed).toMatch(/^v1\.[\w-]+$/);
  expect(Buffer.from(sealed.slice(3), "base64url").toString("latin1")).not.toContain("provider");
  expect(await vault.open("cloud", sealed)).toBe("sk-provider-secret ü");
  expect(await vault.seal("cloud", "sk-provider-secret ü")).not.toBe(sealed);
});

test("it opens under no other name, with no other secret and not when a byte was changed", async () => {
  const sealed = await vault.seal("cloud", "value");
  const other = aesVault(new Secret("another secret of thirty-two characters"), randomBytes);
  const bytes = Buffer.from(sealed.slice(3), "base64url");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await codeOf(vault.open("cloud", `v1.${changed.toString("base64url")}`))).toBe("store_unavailable");
  }
  expect(await codeOf(vault.open("clouds", sealed))).toBe("store_unavailable");
  expect(await codeOf(other.open("cloud", sealed))).toBe("store_unavailable");
  for (const text of ["", "v1", "v1.", "v2.abc", sealed.slice(0, 20)]) {
    expect(await codeOf(vault.open("cloud", text))).toBe("store_unavailable");
  }
});
