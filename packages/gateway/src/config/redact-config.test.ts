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

test.each([
  ["upstreams.a.headers.x-api-key", "upstreams: { a: { headers: { x-api-key: hunter2 } } }"],
  ["upstreams.a.headers.x-other", "upstreams: { a: { headers: { x-other: Bearer hunter2 } } }"],
  ["upstreams.a.proxy", "upstreams: { a: { proxy: 'http://me:hunter2@proxy:1' } }"],
  ["upstreams.a.baseUrl", "upstreams: { a: { baseUrl: 'https://hunter2@host' } }"],
  ["webhooks[0].url", "webhooks: [{ url: 'https://me:${NOPE:-hunter2}@host' }]"],
  ["webhooks[0].secret", "webhooks: [{ secret: hunter2 }]"],
  ["auth.key", "aliases: { x: &k hunter2 }\nauth: { key: *k }"],
])("%s holds a secret that is written out", (path, text) => {
  expect(literalSecrets(text)).toEqual([path]);
  expect(redactConfig(text)).not.toContain("hunter2");
});

test.each([
  "upstreams: { a: { headers: { x-api-key: '${NAME}', x-other: plain } } }",
  "upstreams: { a: { proxy: 'http://me:${PASSWORD}@proxy:1', baseUrl: 'https://host/v1' } }",
  "webhooks: [{ url: '${HOOK}', secret: { env: NAME } }, { url: 'https://host/${HOOK}' }, { url: 'https://host' }]",
])("%s holds none", (text) => {
  expect(literalSecrets(text)).toEqual([]);
  expect(redactConfig(text)).toBe(text);
});

test("a receiver's address is shown to its origin, and what was shown cannot come back as a config", () => {
  const text = "webhooks: [{ url: 'https://hooks.example.com/services/hunter2?a=b' }]";
  expect(literalSecrets(text)).toEqual([]);
  const shown = redactConfig(text);
  expect(shown).toContain("https://hooks.example.com/[secret]");
  expect(shown).not.toContain("hunter2");
  expect(literalSecrets(shown)).toEqual(["webhooks[0].url"]);
});

test("text that refers to itself, or grows without end, is not shown", () => {
  const bomb = [
    "a: &a [x, x]",
    ...Array.from("bcdefghi", (n, i) => `${n}: &${n} [${`*${"abcdefghi"[i]},`.repeat(9)}]`),
  ];
  expect(redactConfig(bomb.join("\n"))).toBe("# This text is no YAML.\n");
  expect(literalSecrets("a: &a [*a]")).toEqual([]);
});
