import { afterAll, beforeAll, expect, test } from "vitest";
import { runScript, type ScriptRun } from "../load/run-script.ts";
import { type Demo, startDemo } from "../load/start-demo.ts";

let demo: Demo;

beforeAll(async () => {
  demo = await startDemo();
}, 30_000);

afterAll(async () => {
  await demo?.stop();
}, 30_000);

async function runWorkload(name: string): Promise<ScriptRun> {
  const run = await runScript(`acceptance/workloads/${name}.ts`, [], { ROUTER_URL: demo.url }, 20_000);
  expect(run.code, run.stdout + run.stderr).toBe(0);
  return run;
}

test("batch classification labels the eight reviews, all on the local model", { timeout: 30_000 }, async () => {
  const { stdout } = await runWorkload("batch-classification");
  const rows = stdout.split("\n").flatMap((line) => {
    const [, label, backend] = /^(POSITIVE|NEGATIVE|NEUTRAL)\s+(\w+)\s/.exec(line) ?? [];
    return label === undefined ? [] : [[label, backend]];
  });
  const expected = ["POSITIVE", "NEGATIVE", "NEUTRAL", "POSITIVE", "NEGATIVE", "NEUTRAL", "POSITIVE", "NEGATIVE"];
  expect(rows).toEqual(expected.map((label) => [label, "local"]));
  expect(stdout).toContain("8 of 8 reviews have a valid label.");
});

test("adaptive summarising keeps the short article and sends the long one out", { timeout: 30_000 }, async () => {
  const { stdout } = await runWorkload("adaptive-summary");
  expect(stdout).toMatch(/^short article, 1\d\d characters: served by local \(local_adequate\)/m);
  expect(stdout).toMatch(/^long article, 6100 characters: served by cloud /m);
  expect(stdout.match(/^ {2}In short: /gm)).toHaveLength(2);
});

test("multi-step planning streams a numbered list from the cloud", { timeout: 30_000 }, async () => {
  const { stdout } = await runWorkload("multi-step-planning");
  expect(stdout).toContain("served by cloud");
  expect(stdout.match(/^\d+\. /gm)).toEqual(["1. ", "2. ", "3. ", "4. ", "5. "]);
  expect(Number(/^(\d+) pieces, ended by stop$/m.exec(stdout)?.[1])).toBeGreaterThan(10);
});
