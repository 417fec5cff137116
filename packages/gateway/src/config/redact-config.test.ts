import { expect, test } from "bun:test";
import { literalSecrets, redactConfig } from "./redact-config.ts";

const withKey = (key: string): string => `auth:\n  key: ${key} # ours\nserver:\n  port: 1\n`;
const withUrl = (url: string): string => `storage:\n  url: ${url}\n`;

test.each(["hunter2", "${NAME:-hunter2}", "a-${ONE}${TWO:-hunter2}", "$${hunter2}", "'hunter2'"])(
  "%s is a secret that is written out",
  (key) => {
    expect(literalSecrets(withKey(key))).toEqual(["auth.key"]);
    const redacted = redactConfig(withKey(key));
    expect(redacted).not.toContain("hunter2");
    expect(redacted).toContain("# ours");
    expect(redacted).toContain("port: 1");
  },
);

test.each(["${NAME}", "${NAME:-}", "a-${NAME}", "{ env: NAME }", "{ file: /run/secret }"])("%s is none", (key) => {
  expect(literalSecrets(withKey(key))).toEqual([]);
  expect(redactConfig(withKey(key))).toBe(withKey(key));
});

test.each([
  "postgres://me:hunter2@db/fairlead",
  "postgres://me:${PASSWORD:-hunter2}@db/fairlead",
  "${DATABASE_URL:-postgres://me:hunter2@db/fairlead}",
  "postgres://me@db/fairlead?password=hunter2",
])("the address %s holds a secret", (url) => {
  expect(literalSecrets(withUrl(url))).toEqual(["storage.url"]);
  expect(redactConfig(withUrl(url))).not.toContain("hunter2");
});

test.each([
  "postgres://me:${PASSWORD}@db/fairlead",
  "postgres://me@db/fairlead",
  "${DATABASE_URL}",
  "${DATABASE_URL:-sqlite:/data/ledger.sqlite}",
  "memory",
])("the address %s holds none", (url) => {
  expect(literalSecrets(withUrl(url))).toEqual([]);
});
