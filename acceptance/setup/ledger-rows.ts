import { runBun } from "./child-process.ts";

/** A row of the ledger as tests compare it. */
export interface DumpedRow {
  readonly id: string;
  readonly orphaned: boolean;
  readonly cost?: number;
  readonly outcome: string;
  readonly attemptCosts: readonly (number | null)[];
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number };
  readonly usageEstimated: boolean;
}

/** Reads every row of a ledger, and the total its report gives. */
export async function dumpLedger(
  url: string,
): Promise<{ rows: DumpedRow[]; total: { requests: number; cost: number } }> {
  const { ending, stdout, stderr } = await runBun("packages/gateway/test/programs/ledger-dump.ts", [url]);
  if (ending !== 0) throw new Error(`The ledger cannot be read (${ending}): ${stderr}`);
  const records = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string });
  const total = records.find(({ event }) => event === "total") as unknown as { requests: number; cost: number };
  return { rows: records.filter(({ event }) => event === "row") as unknown as DumpedRow[], total };
}
