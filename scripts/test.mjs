// Runs every test that this machine can run: units under Bun, black-box suites under Vitest on Node. Names each skip,
// and ends with one line `N passed, N failed, N skipped`. With FAIRLEAD_REQUIRE=a,b a missing tool of that list makes
// its tests fail instead of being skipped (the suites read the variable themselves).
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bunEnv, findBun } from "./bun.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const results = mkdtempSync(join(tmpdir(), "fairlead-test-"));
const totals = { passed: 0, failed: 0, skipped: 0 };
const skips = [];

function run(command, args, env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
    const pass = (signal) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, pass);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** A suite that could not even report counts as one failure. */
function count(name, code, read) {
  const before = totals.failed;
  try {
    read();
  } catch (error) {
    console.error(`${name}: no readable report (${error.message})`);
    totals.failed++;
    return;
  }
  if (code !== 0 && totals.failed === before) totals.failed++;
}

const plainText = (text) =>
  text
    .replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

async function units() {
  const report = join(results, "units.xml");
  const args = ["test", "--isolate", "--reporter=junit", `--reporter-outfile=${report}`, "packages", "bench"];
  const code = await run(findBun(), args, bunEnv());
  count("unit tests", code, () => {
    const xml = readFileSync(report, "utf8");
    for (const [, attributes, rest] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
      const name = plainText(/name="([^"]*)"/.exec(attributes)?.[1] ?? "?");
      if (rest?.includes("<failure")) totals.failed++;
      else if (rest?.includes("<skipped")) {
        totals.skipped++;
        skips.push(name);
      } else totals.passed++;
    }
  });
}

async function acceptance() {
  const report = join(results, "acceptance.json");
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const args = [
    vitest,
    "run",
    "--root",
    "acceptance",
    "--reporter=default",
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const code = await run(process.execPath, args, {});
  count("acceptance tests", code, () => {
    const json = JSON.parse(readFileSync(report, "utf8"));
    for (const file of json.testResults) {
      if (file.status === "failed" && file.assertionResults.length === 0) totals.failed++;
      for (const { status, fullName } of file.assertionResults) {
        if (status === "passed") totals.passed++;
        else if (status === "failed") totals.failed++;
        else {
          totals.skipped++;
          skips.push(fullName);
        }
      }
    }
  });
}

await units();
await acceptance();
rmSync(results, { recursive: true, force: true });
if (skips.length > 0) console.log(`\nSkipped here:\n${skips.map((name) => `  - ${name}`).join("\n")}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
