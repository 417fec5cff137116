import { expect, test } from "bun:test";
import { checkBind, isLoopback } from "./check-bind.ts";

test.each([
  "127.0.0.1",
  "127.255.0.9",
  "localhost",
  "LOCALHOST",
  "localhost.",
  "::1",
  "[::1]",
  "0:0:0:0:0:0:0:1",
  "::ffff:127.0.0.1",
  "[::ffff:127.0.0.1]",
])("%s is loopback", (host) => expect(isLoopback(host)).toBe(true));

test.each([
  "0.0.0.0",
  "::",
  "[::]",
  "",
  "*",
  "192.168.1.5",
  "10.0.0.1",
  "128.0.0.1",
  "127.0.0.1.evil.com",
  "127.1.example",
  "my-host",
  "localhost.evil.com",
  "::ffff:10.0.0.1",
  "::2",
  "fe80::1",
  "2001:db8::1",
])("%s is not loopback", (host) => expect(isLoopback(host)).toBe(false));

test("an address others can reach needs a key or a word", () => {
  expect(checkBind({ host: "127.0.0.1", hasKey: false, anonymous: false })).toBeUndefined();
  expect(checkBind({ host: "0.0.0.0", hasKey: true, anonymous: false })).toBeUndefined();
  expect(checkBind({ host: "0.0.0.0", hasKey: false, anonymous: true })).toBeUndefined();
  expect(checkBind({ host: "0.0.0.0", hasKey: false, anonymous: false })?.expected).toContain("auth.key");
});
