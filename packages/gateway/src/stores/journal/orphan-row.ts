import { noUsage } from "../../core/usage.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { LedgerBegin } from "../../ledger/ledger-store.ts";

/** The row of an exchange whose process ended before it settled: its prediction stands for what nobody saw. */
export function orphanRow(begin: LedgerBegin): LedgerRow {
  const { id, at, dialect, keyId, team, user, tags, asked, stream, reason, target, cost, priceVersion } = begin;
  const usage = { ...noUsage, inputTokens: begin.inputTokens, outputTokens: begin.outputTokens };
  const attempt = {
    ...target,
    durationMs: 0,
    firstContentMs: undefined,
    error: undefined,
    upstreamStatus: undefined,
    usage,
    usageEstimated: true,
    rawUsage: undefined,
    priceVersion,
    cost,
  };
  return {
    orphaned: true,
    record: {
      id,
      at,
      dialect,
      keyId,
      team,
      user,
      tags,
      asked,
      stream,
      strategy: undefined,
      reason,
      promptTokensEstimate: undefined,
      exclusions: [],
      nearNames: [],
      routing: undefined,
      confinedTo: undefined,
      firstChoice: undefined,
      served: undefined,
      fallback: undefined,
      attempts: [attempt],
      dropped: [],
      usage,
      usageEstimated: true,
      cost,
      unpriced: cost === undefined,
      referenceCost: undefined,
      referenceVersion: undefined,
      status: 0,
      outcome: "interrupted",
      error: undefined,
      durationMs: 0,
      firstContentMs: undefined,
      overheadMs: 0,
    },
  };
}
