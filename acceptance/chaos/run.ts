import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { closeAll } from "../setup/after-all.ts";
import { repository } from "../setup/child-process.ts";
import { type FilledCell, fillTable } from "./fault-table.ts";
import { reliabilityPage, type Told } from "./reliability-page.ts";
import { isHere, scenarios } from "./scenarios.ts";
import { addCounts, noCounts, Stage } from "./stage.ts";

/**
 * Breaks everything that can break around real gateways, and tells whether each promise held:
 * `run.ts [--short] [--write] [--only <part of a name>]`. `--write` brings docs/reliability.md up to date.
 */
const { values } = parseArgs({
  options: { short: { type: "boolean" }, write: { type: "boolean" }, only: { type: "string", default: "" } },
});
const form = values.short ? "short" : "long";
const total = noCounts();
let broken = 0;

async function play(name: string, run: (stage: Stage) => Promise<void>): Promise<Stage> {
  const stage = new Stage(form);
  const startedMs = performance.now();
  try {
    await run(stage);
  } catch (thrown) {
    stage.broken.push(String(thrown));
  } finally {
    await stage.close();
  }
  addCounts(total, stage.counts);
  broken += stage.broken.length;
  const { sent, answered, failed, lost } = stage.counts;
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  console.log(
    `${stage.broken.length === 0 ? "ok    " : "BROKEN"} ${name}: ${sent} sent, ${answered} answered, ${failed} failed, ${lost} lost (${seconds} s)`,
  );
  for (const promise of stage.broken) console.log(`         ${promise}`);
  return stage;
}

let cells: readonly FilledCell[] = [];
const told: Told[] = [];
const isWanted = (name: string): boolean => name.toLowerCase().includes(values.only.toLowerCase());
try {
  if (isWanted("One fault at a time")) {
    await play("One fault at a time", async (stage) => {
      cells = await fillTable(stage);
    });
  }
  for (const { name, promise, needs, run } of scenarios.filter((scenario) => isWanted(scenario.name))) {
    if (!isHere[needs]()) {
      console.log(`skip   ${name} (needs ${needs})`);
      told.push({ name, promise, counts: undefined });
      continue;
    }
    const { counts } = await play(name, run);
    told.push({ name, promise, counts });
  }
} finally {
  await closeAll();
}
if (values.write && values.only === "" && broken === 0) {
  writeFileSync(join(repository, "docs/reliability.md"), reliabilityPage(cells, told, total));
}
console.log(JSON.stringify(total));
process.exit(broken === 0 && total.lost === 0 ? 0 : 1);
