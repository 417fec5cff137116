import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { repository } from "../load/start-demo.ts";

const script = join(repository, "scripts/check-image.mjs");
/** Installing the production packages and running the result take about ten seconds with a near registry. */
const deadlineMs = 58_000;

/** The steps install packages, so a registry must answer. */
function npmAnswers(): boolean {
  const asked = spawnSync("npm", ["view", "hono", "name"], { cwd: repository, timeout: 8_000, encoding: "utf8" });
  return asked.status === 0 && asked.stdout.trim() === "hono";
}

const isPossible = npmAnswers();
const isRequired = (process.env["FAIRLEAD_REQUIRE"] ?? "").split(",").some((tool) => tool.trim() === "npm");
const name = `the Dockerfile's steps make a tree that runs${isPossible ? "" : " (needs the npm registry)"}`;

test.skipIf(!isPossible && !isRequired)(name, { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [script], { cwd: repository, stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGTERM"), deadlineMs);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).not.toContain("✗");
  const report: unknown = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
  expect(report).toMatchObject({ ok: true, imageBuilt: false });
  expect((report as { megabytes: number }).megabytes).toBeLessThan(200);
});
