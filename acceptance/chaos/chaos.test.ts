import { expect, test } from "vitest";
import { testWith } from "../setup/requires.ts";
import { fillTable } from "./fault-table.ts";
import { isHere, scenarios } from "./scenarios.ts";
import { Stage } from "./stage.ts";

/** The short form of `npm run test:chaos`. */
const timeoutMs = 120_000;

async function play(run: (stage: Stage) => Promise<unknown>): Promise<void> {
  const stage = new Stage("short");
  try {
    await run(stage);
  } finally {
    await stage.close();
  }
  expect(stage.broken).toEqual([]);
  expect(stage.counts).toMatchObject({ sent: stage.counts.answered + stage.counts.failed, lost: 0 });
  expect(stage.counts.sent).toBeGreaterThan(0);
}

test("each fault has the outcome that was promised, in every cell of the table", () => play(fillTable), timeoutMs);

for (const { name, needs, run } of scenarios) testWith(needs, isHere[needs](), name, () => play(run), timeoutMs);
