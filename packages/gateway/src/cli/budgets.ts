import { type BudgetAnswer, budgetAnswer, budgetPage } from "@fairlead/contract/admin-api/budget-api";
import { deletedAnswer } from "@fairlead/contract/admin-api/wire-fields";
import { budgetScopeKinds } from "@fairlead/contract/names";
import type { AdminClient } from "./admin-client.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { findOne } from "./find-one.ts";
import { positive, windowOption } from "./parse-options.ts";
import { dollarText, renderTable, timeText } from "./table.ts";

export interface CreateBudgetOptions {
  /** `total`, or a kind and what of it: `team=search`. */
  readonly scope: string;
  readonly limit: string;
  readonly window?: string;
  readonly timeZone?: string;
  readonly soft?: boolean;
  readonly onExhausted?: string;
  /** Shares of the limit, with commas between. */
  readonly notify?: string;
}

const path = "/admin/v1/budgets";
const ok = (output: string): CommandResult => ({ exitCode: 0, output });
const asJson = (value: unknown): CommandResult => ok(JSON.stringify(value, null, 2));

function scopeText(scope: BudgetAnswer["scope"]): string {
  if (scope === "total") return "total";
  return Object.entries(scope)
    .map(([kind, value]) => `${kind} ${value}`)
    .join(", ");
}

function windowText({ window, time_zone: zone }: BudgetAnswer): string {
  if (typeof window === "object") return `last ${window.rolling_hours} h`;
  return zone === "UTC" ? window : `${window}, ${zone}`;
}

const barWidth = 20;

/** A bar of what is spent (█) and held (▒) of a limit. */
function bar(spent: number, held: number, limit: number): string {
  const share = (amount: number): number => (limit > 0 ? amount / limit : amount > 0 ? 1 : 0);
  const full = Math.min(barWidth, Math.floor(share(spent) * barWidth));
  const busy = Math.min(barWidth - full, Math.ceil(share(held) * barWidth));
  const percent = `${Math.floor(share(spent) * 100)} %`;
  return `${"█".repeat(full)}${"▒".repeat(busy)}${"·".repeat(barWidth - full - busy)} ${percent}`;
}

/** Lists budgets with what is spent and held of each. */
export async function listBudgets(client: AdminClient, json: boolean): Promise<CommandResult> {
  const budgets = await client.all<BudgetAnswer>(path, budgetPage);
  if (json) return asJson({ data: budgets });
  if (budgets.length === 0) return ok("There are no budgets.");
  const columns = [
    ...["NAME", "SCOPE"].map((title) => ({ title })),
    ...["SPENT", "HELD", "LIMIT"].map((title) => ({ title, align: "right" as const })),
    ...["", "WINDOW", "ENDS", "AT ITS END", "FROM"].map((title) => ({ title })),
  ];
  const rows = budgets.map((budget) => {
    const { current, limit_usd: limit } = budget;
    return [
      budget.name,
      scopeText(budget.scope),
      current === null ? "-" : dollarText(current.spent_usd),
      current === null ? "-" : dollarText(current.held_usd),
      dollarText(limit),
      current === null ? "not in force yet" : bar(current.spent_usd, current.held_usd, limit),
      windowText(budget),
      timeText(current?.window_ends_at ?? null),
      !budget.hard ? "only notifies" : budget.on_exhausted === "refuse" ? "refuses" : "self-hosted only",
      budget.source,
    ];
  });
  return ok(renderTable(columns, rows));
}

function readScope(text: string): unknown {
  if (text === "total") return text;
  const [kind = "", ...rest] = text.split("=");
  const value = rest.join("=");
  if (kind !== "total" && budgetScopeKinds.some((known) => known === kind) && value !== "") return { [kind]: value };
  const kinds = budgetScopeKinds.filter((known) => known !== "total").join(", ");
  throw new CommandError(
    `--scope is ${JSON.stringify(text)}: expected total, or one of ${kinds} with a value, as in team=search.`,
  );
}

export async function createBudget(
  client: AdminClient,
  name: string,
  options: CreateBudgetOptions,
  json: boolean,
): Promise<CommandResult> {
  const budget = await client.post(path, budgetAnswer, {
    name,
    scope: readScope(options.scope),
    limit_usd: options.limit === "0" ? 0 : positive(options.limit.replace(/^\$/, ""), "--limit"),
    ...(options.window !== undefined && { window: windowOption(options.window, "--window") }),
    ...(options.timeZone !== undefined && { time_zone: options.timeZone }),
    ...(options.soft === true && { hard: false }),
    ...(options.onExhausted !== undefined && { on_exhausted: options.onExhausted.replaceAll("-", "_") }),
    ...(options.notify !== undefined && {
      notify_at: options.notify.split(",").map((share) => positive(share.trim(), "--notify")),
    }),
  });
  return json
    ? asJson(budget)
    : ok(`${budget.name} (${budget.id}) holds ${dollarText(budget.limit_usd)} for ${windowText(budget)}.`);
}

export async function deleteBudget(client: AdminClient, reference: string, json: boolean): Promise<CommandResult> {
  const budget = findOne(await client.all<BudgetAnswer>(path, budgetPage), reference, "budget");
  const deleted = await client.delete(`${path}/${encodeURIComponent(budget.id)}`, deletedAnswer);
  return json ? asJson(deleted) : ok(`${budget.name} (${budget.id}) is deleted.`);
}
