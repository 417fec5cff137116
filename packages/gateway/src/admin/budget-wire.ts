import type { BudgetAnswer, CreateBudgetBody, LimitAnswer } from "@fairlead/contract/admin-api/budget-api";
import { type BudgetScopeKind, budgetScopeKinds } from "@fairlead/contract/names";
import type { Budget, BudgetWindow, RateLimit } from "../core/budget.ts";
import { fromDollars, toDollars } from "../core/money.ts";
import type { StoredBudget } from "../keys/directory-entities.ts";
import type { BudgetPosition } from "../ledger/budget-status.ts";
import { isoTime, optionalIsoTime } from "./wire-time.ts";

const hourMs = 3_600_000;

type WireScope = BudgetAnswer["scope"];
type WireWindow = BudgetAnswer["window"];

export function readScope(scope: WireScope): Budget["scope"] {
  if (scope === "total") return { kind: "total", value: undefined };
  const [kind, value] = Object.entries(scope)[0] as [string, string];
  const known = budgetScopeKinds.find((one) => one === kind) as BudgetScopeKind;
  return { kind: known, value };
}

function writeScope({ kind, value }: Budget["scope"]): WireScope {
  return kind === "total" ? "total" : ({ [kind]: value ?? "" } as WireScope);
}

export function readWindow(window: WireWindow, timeZone: string): BudgetWindow {
  if (typeof window === "object") return { kind: "rolling", lengthMs: Math.round(window.rolling_hours * hourMs) };
  return { kind: "calendar", unit: window, timeZone };
}

export function budgetDraft(body: CreateBudgetBody): Omit<StoredBudget, "id" | "version" | "createdAt"> {
  return {
    name: body.name,
    scope: readScope(body.scope),
    limit: fromDollars(body.limit_usd),
    window: readWindow(body.window, body.time_zone),
    hard: body.hard,
    onExhausted: body.on_exhausted,
    notifyAt: [...body.notify_at].sort((a, b) => a - b),
    source: "api",
  };
}

export function timeZoneOf(window: BudgetWindow): string {
  return window.kind === "calendar" ? window.timeZone : "UTC";
}

export function budgetAnswerOf(
  budget: Budget & { readonly version?: number },
  position: BudgetPosition | undefined,
): BudgetAnswer {
  const { window } = budget;
  return {
    id: budget.id,
    name: budget.name,
    source: budget.source,
    scope: writeScope(budget.scope),
    limit_usd: toDollars(budget.limit),
    window: window.kind === "calendar" ? window.unit : { rolling_hours: window.lengthMs / hourMs },
    time_zone: timeZoneOf(window),
    hard: budget.hard,
    on_exhausted: budget.onExhausted,
    notify_at: [...budget.notifyAt],
    version: budget.version ?? null,
    current:
      position === undefined
        ? null
        : {
            spent_usd: toDollars(position.spent),
            held_usd: toDollars(position.held),
            remaining_usd: toDollars(Math.max(0, budget.limit - position.spent - position.held)),
            window_started_at: isoTime(position.windowStartMs),
            window_ends_at: optionalIsoTime(position.windowEndMs),
          },
  };
}

export function limitAnswerOf(limit: RateLimit & { readonly version?: number }): LimitAnswer {
  return {
    id: limit.id,
    name: limit.name,
    source: limit.source,
    scope: { [limit.scope.kind]: limit.scope.value } as LimitAnswer["scope"],
    requests_per_minute: limit.requestsPerMinute ?? null,
    tokens_per_minute: limit.tokensPerMinute ?? null,
    concurrency: limit.concurrency ?? null,
    version: limit.version ?? null,
  };
}
