import { expect, test } from "bun:test";
import { diffConfigs } from "./diff-configs.ts";

test("what a variable holds is neither shown nor compared", () => {
  const before = 'upstreams: { a: { headers: { x-a: one, x-b: "${ONE}" } } }';
  const after = 'upstreams: { a: { headers: { x-a: "${PATH}", x-b: "${HOME}" } } }';
  expect(diffConfigs(before, after)).toEqual([
    { path: "upstreams.a.headers.x-a", change: "changed", before: "one", after: "${PATH}" },
    { path: "upstreams.a.headers.x-b", change: "changed", before: "${ONE}", after: "${HOME}" },
  ]);
});

test("a section that comes or goes is told part by part", () => {
  expect(diffConfigs("server: { port: 1 }", "routing: { breaker: { failures: 3 } }")).toEqual([
    { path: "server.port", change: "removed", before: 1, after: null },
    { path: "routing.breaker", change: "added", before: null, after: { failures: 3 } },
  ]);
});

test("secrets are never shown, wherever they may stand", () => {
  const texts = [
    "auth: { key: canary }",
    "auth: { key: '${NAME:-canary}' }",
    "upstreams: { a: { headers: { X-Api-Key: canary } } }",
    "upstreams: { a: { proxy: 'http://me:canary@proxy' } }",
    "webhooks: [{ url: 'https://hooks.example.com/services/canary' }]",
    "webhooks: [{ url: 'https://me:canary@hooks.example.com' }]",
  ];
  for (const text of texts) {
    const told = JSON.stringify([diffConfigs("", text), diffConfigs(text, "")]);
    expect(told).not.toContain("canary");
    expect(told).toContain("[secret]");
  }
});
