import { expect, test } from "bun:test";
import { noSource } from "./config-source.ts";
import type { Resolution } from "./resolution.ts";
import { resolveShared } from "./resolve-shared.ts";

function resolve(url: Parameters<typeof resolveShared>[0]["url"], env: Record<string, string> = {}) {
  const resolution: Resolution = {
    source: noSource,
    env,
    readFile: () => "",
    ownDirs: [],
    withoutStored: "fault",
    simulated: new Set(),
    assumed: new Set(),
    faults: [],
    warnings: [],
  };
  return { settings: resolveShared({ url, prefix: "fairlead", timeoutMs: 100, replicas: 1 }, resolution), resolution };
}

test("nothing is shared unless a URL is given", () => {
  const { settings, resolution } = resolve(undefined);
  expect([settings, resolution.faults]).toEqual([undefined, []]);
});

test("a URL with a password comes from the environment, and only its place may be seen", () => {
  const { settings, resolution } = resolve({ env: "REDIS_URL" }, { REDIS_URL: "rediss://me:canary@cache.internal/2" });
  expect(resolution.faults).toEqual([]);
  expect(resolution.warnings).toEqual([]);
  expect(settings?.url.reveal()).toBe("rediss://me:canary@cache.internal/2");
  expect(settings?.place).toBe("cache.internal:6379");
  expect(JSON.stringify(settings)).not.toContain("canary");
});

test("a password that is written out warns; a URL without one does not", () => {
  expect(resolve("redis://:canary@cache:6380").resolution.warnings).toEqual([
    expect.stringContaining("shared.url holds a password written out"),
  ]);
  expect(resolve("redis://cache:6380").resolution.warnings).toEqual([]);
});

test("what is no Redis URL is told without being shown", () => {
  for (const url of ["http://cache", "redis://", "canary", "redis//cache"]) {
    const { settings, resolution } = resolve(url);
    expect(settings).toBeUndefined();
    expect(resolution.faults).toMatchObject([{ at: ["shared", "url"], expected: expect.stringContaining("redis://") }]);
    expect(JSON.stringify(resolution.faults)).not.toContain("canary");
  }
});
