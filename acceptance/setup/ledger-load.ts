import { expect } from "vitest";
import { type Child, startBun } from "./child-process.ts";
import { dumpLedger } from "./ledger-rows.ts";

/** What processes that kept a ledger said of it before they ended. */
export class LedgerWitness {
  /** Id to cost. */
  readonly answered = new Map<string, number>();
  readonly begun = new Set<string>();
  lanes = 0;

  /** Reads the output of a process of `startLedgerLoad`, after its end. */
  hear(child: Child, lanes: number): void {
    this.lanes += lanes;
    // The last line may be half: its id would be one nobody ever had.
    for (const line of child.stdout.split("\n").slice(0, -1)) {
      const [word, id = "", cost] = line.split(" ");
      if (word === "begun") this.begun.add(id);
      if (word === "answered") this.answered.set(id, Number(cost));
    }
  }
}

/** Starts a process that keeps a ledger as fast as it can, in so many lanes. */
export function startLedgerLoad(dir: string, url: string, lanes: number): Child {
  return startBun("packages/gateway/test/programs/ledger-load.ts", [dir, url, String(lanes)]);
}

/** Expects every answered exchange once, every begun one once, and sums that are those of the rows. Returns how many are guesses. */
export async function expectComplete(url: string, witness: LedgerWitness): Promise<{ orphans: number }> {
  const { rows, total } = await dumpLedger(url);
  const byId = new Map(rows.map((row) => [row.id, row]));
  expect(rows.length - byId.size, "rows that are there twice").toBe(0);
  const wrong = [...witness.answered].filter(([id, cost]) => {
    const row = byId.get(id);
    return row === undefined || row.orphaned || row.cost !== cost || row.attemptCosts[0] !== cost;
  });
  expect(wrong, "answered exchanges that are missing or wrong").toEqual([]);
  expect(
    [...witness.begun].filter((id) => !byId.has(id)),
    "begun exchanges that are missing",
  ).toEqual([]);
  const guessed = rows.filter((row) => row.orphaned);
  expect(guessed.filter((row) => row.outcome !== "interrupted" || !row.usageEstimated)).toEqual([]);
  // Killed between the write and the word about it: at most one exchange a lane.
  expect(rows.filter((row) => !witness.begun.has(row.id)).length).toBeLessThanOrEqual(witness.lanes);
  expect(total).toEqual({
    event: "total",
    requests: rows.length,
    cost: rows.reduce((sum, row) => sum + (row.cost ?? 0), 0),
  });
  return { orphans: guessed.length };
}
