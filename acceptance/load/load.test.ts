import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleScript, k6Version } from "./k6.ts";
import { durationMs, loadOptions, scaleStages } from "./load-options.ts";
import type { LoadResult } from "./load-report.ts";
import { Measurements, percentile } from "./measurements.ts";
import { promptOf } from "./prompts.ts";
import { runScript } from "./run-script.ts";
import { rampSteps } from "./virtual-users.ts";

const runner = "acceptance/load/run.ts";
/** Six seconds of stages. */
const tiny = ["--scale", "0.02"];

function lastLine(stdout: string): LoadResult {
  const line = stdout.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(line) as LoadResult;
}

function expectGoodRun(result: LoadResult): void {
  expect(result.verdicts.map(({ metric, passed }) => [metric, passed])).toEqual([
    ["http_req_failed", true],
    ["http_req_duration", true],
    ["router_local_latency_ms", true],
    ["router_cloud_latency_ms", true],
  ]);
  expect(result.passed).toBe(true);
  expect(result.requests).toBeGreaterThan(20);
  const { router_local_requests: local = 0, router_cloud_requests: cloud = 0 } = result.counters;
  expect(local + cloud).toBe(result.requests);
  expect(result.localShare).toBeGreaterThan(0.7);
  expect(result.localShare).toBeLessThan(0.9);
}

test("the full test is five minutes with up to 30 users, and scaling changes the time only", () => {
  const total = loadOptions.stages.reduce((sum, { duration }) => sum + durationMs(duration), 0);
  expect(total).toBe(300_000);
  const scaled = scaleStages(loadOptions, 0.1);
  expect(scaled.stages).toEqual([
    { duration: "6000ms", target: 10 },
    { duration: "18000ms", target: 30 },
    { duration: "6000ms", target: 0 },
  ]);
  expect(scaled.thresholds).toEqual(loadOptions.thresholds);
});

test("users come and go along the stages' straight ramps", () => {
  const stages = [
    { duration: "4s", target: 2 },
    { duration: "2s", target: 0 },
  ];
  expect(rampSteps(stages)).toEqual([
    { atMs: 2_000, users: 1 },
    { atMs: 4_000, users: 2 },
    { atMs: 4_000, users: 1 },
    { atMs: 5_000, users: 0 },
    { atMs: 6_000, users: 0 },
  ]);
});

test("one request in five is long: about 600 characters in, 600 tokens out", () => {
  const prompts = Array.from({ length: 1_000 }, (_, n) => promptOf(1 + (n % 30), Math.floor(n / 30)));
  const long = prompts.filter(({ maxTokens }) => maxTokens === 600);
  const short = prompts.filter(({ maxTokens }) => maxTokens === 60);
  expect(long.length + short.length).toBe(1_000);
  expect(Math.abs(long.length - 200)).toBeLessThan(10);
  expect(new Set(long.map(({ text }) => text)).size).toBe(3);
  for (const { text } of long) expect(Math.abs(text.length - 600)).toBeLessThan(60);
  for (const { text } of short) expect(text.length).toBeLessThan(80);
});

test("percentiles are interpolated as in k6", () => {
  expect(percentile([1, 2, 3, 4, 5], 50)).toBe(3);
  expect(percentile([10, 20], 95)).toBeCloseTo(19.5);
  expect(percentile([], 95)).toBe(0);
});

test("a broken threshold is seen, and requests without an answer count as failed", () => {
  const measurements = new Measurements();
  measurements.add({ status: 200, backend: "local", durationMs: 5_000 });
  measurements.add({ status: 0, backend: undefined, durationMs: 30_000 });
  const broken = measurements.judge(loadOptions.thresholds).filter(({ passed }) => !passed);
  expect(broken.map(({ metric }) => metric)).toEqual([
    "http_req_failed",
    "http_req_duration",
    "router_local_latency_ms",
  ]);
  expect(measurements.failedRate).toBe(0.5);
  expect(measurements.counters).toEqual({ router_local_requests: 1, router_cloud_requests: 0 });
});

test("without k6: every threshold holds and about 80 % is served locally", { timeout: 60_000 }, async () => {
  const { code, stdout, stderr } = await runScript(runner, tiny);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("✓ http_req_failed 'rate<0.01'");
  expectGoodRun(lastLine(stdout));
});

test("a gateway that does not answer breaks thresholds: exit code 1", { timeout: 60_000 }, async () => {
  const { code, stdout } = await runScript(runner, [
    "--url",
    `http://127.0.0.1:${await closedPort()}`,
    "--scale",
    "0.003",
  ]);
  expect(code).toBe(1);
  expect(stdout).toContain("✗ http_req_failed 'rate<0.01' (100.00%)");
  expect(lastLine(stdout)).toMatchObject({ passed: false, failedRate: 1 });
});

test("another machine is not put under load unless that is said", async () => {
  const { code, stderr } = await runScript(runner, ["--url", "http://192.0.2.1:8080", ...tiny]);
  expect(code).toBe(2);
  expect(stderr).toContain("--allow-remote");
});

test("the k6 script bundles into one file that imports nothing but k6", { timeout: 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "fairlead-bundle-"));
  try {
    const bundle = join(folder, "router-load.js");
    await bundleScript(bundle);
    const text = await readFile(bundle, "utf8");
    const imported = [...text.matchAll(/from\s*"([^"]+)"/g)].map(([, name]) => name);
    expect(imported.toSorted()).toEqual(["k6", "k6/http", "k6/metrics"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

const k6 = k6Version();
const k6Required = (process.env["FAIRLEAD_REQUIRE"] ?? "").split(",").some((tool) => tool.trim() === "k6");
const k6Test = `with real k6: the bundled script passes${k6 === undefined ? " (needs k6 on the PATH)" : ""}`;

test.skipIf(k6 === undefined && !k6Required)(k6Test, { timeout: 90_000 }, async () => {
  expect(k6, "FAIRLEAD_REQUIRE names k6, and k6 is not on the PATH").toBeDefined();
  const { code, stdout, stderr } = await runScript(runner, ["--k6", ...tiny]);
  expect(code, stdout + stderr).toBe(0);
  const result = lastLine(stdout);
  expect(result.tool).toBe("k6");
  expectGoodRun(result);
});

/** A port nobody listens on: taken for a moment and given back. */
function closedPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
