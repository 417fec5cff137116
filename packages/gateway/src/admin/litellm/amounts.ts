import type { LitellmAmounts } from "@fairlead/contract/admin-api/litellm-api";
import { fromDollars } from "../../core/money.ts";
import type { DirectoryChanges, DirectoryReads } from "../../keys/directory.ts";
import type { StoredBudget, StoredLimit } from "../../keys/directory-entities.ts";
import { budgetWindow } from "./duration.ts";

/** What the budget and the limit that belong to a key or team are about. */
export interface AmountScope {
  readonly kind: "key" | "team";
  readonly value: string;
}

/** The name tells them from what people made. */
const nameOf = ({ kind, value }: AmountScope): string => `${kind}:${value}`;

export async function findAmounts(
  reads: DirectoryReads,
  scope: AmountScope,
): Promise<{ readonly budget: StoredBudget | undefined; readonly limit: StoredLimit | undefined }> {
  const name = nameOf(scope);
  return { budget: await reads.find("budget", "name", name), limit: await reads.find("limit", "name", name) };
}

/** Returns whether a duration found no budget to be the window of. */
async function setBudget(changes: DirectoryChanges, scope: AmountScope, body: LitellmAmounts): Promise<boolean> {
  const { budget: old } = await findAmounts(changes, scope);
  const givesDuration = body.budget_duration !== undefined && body.budget_duration !== null;
  if (body.max_budget === null) {
    if (old !== undefined) await changes.remove("budget", old.id);
    return givesDuration;
  }
  if (body.max_budget === undefined && (old === undefined || body.budget_duration === undefined)) return givesDuration;
  const window = body.budget_duration === undefined && old ? old.window : budgetWindow(body.budget_duration);
  const limit = body.max_budget === undefined ? (old?.limit ?? fromDollars(0)) : fromDollars(body.max_budget);
  if (old !== undefined) {
    await changes.update("budget", { ...old, limit, window });
    return false;
  }
  const rules = { hard: true, onExhausted: "refuse", notifyAt: [0.8, 1], source: "api" } as const;
  await changes.insert("budget", { name: nameOf(scope), scope, limit, window, ...rules });
  return false;
}

async function setLimit(changes: DirectoryChanges, scope: AmountScope, body: LitellmAmounts): Promise<void> {
  const { limit: old } = await findAmounts(changes, scope);
  const given = (value: number | null | undefined, before: number | undefined): number | undefined =>
    value === undefined ? before : (value ?? undefined);
  const amounts = {
    requestsPerMinute: given(body.rpm_limit, old?.requestsPerMinute),
    tokensPerMinute: given(body.tpm_limit, old?.tokensPerMinute),
    concurrency: given(body.max_parallel_requests, old?.concurrency),
  };
  const none = Object.values(amounts).every((amount) => amount === undefined);
  if (old === undefined) {
    if (!none) await changes.insert("limit", { name: nameOf(scope), scope, ...amounts, source: "api" });
    return;
  }
  if (none) await changes.remove("limit", old.id);
  else if (body.rpm_limit !== undefined || body.tpm_limit !== undefined || body.max_parallel_requests !== undefined) {
    await changes.update("limit", { ...old, ...amounts });
  }
}

/**
 * Makes, changes or removes the budget and the limit of a key or team; null takes away, absent leaves. Returns the
 * fields that meant nothing.
 */
export async function setAmounts(
  changes: DirectoryChanges,
  scope: AmountScope,
  body: LitellmAmounts,
): Promise<readonly string[]> {
  const isLost = await setBudget(changes, scope, body);
  await setLimit(changes, scope, body);
  return isLost ? ["budget_duration"] : [];
}
