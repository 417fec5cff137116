import type { BudgetConfig, FairleadConfig, LimitConfig } from "@fairlead/contract/config-schema";
import type { Budget, RateLimit } from "../core/budget.ts";
import { fromDollars } from "../core/money.ts";
import { nearNames } from "../lib/near-names.ts";
import type { Resolution } from "./resolution.ts";

const hourMs = 3_600_000;

/** Ids of what a config names; those that the API makes are random. */
const configId = (name: string): string => `config:${name}`;

function scopeOf(scope: BudgetConfig["scope"]): Budget["scope"] {
  if (scope === "total") return { kind: "total", value: undefined };
  if ("placement" in scope) return { kind: "placement", value: scope.placement };
  if ("provider" in scope) return { kind: "provider", value: scope.provider };
  if ("upstream" in scope) return { kind: "upstream", value: scope.upstream };
  if ("team" in scope) return { kind: "team", value: scope.team };
  return "key" in scope ? { kind: "key", value: scope.key } : { kind: "tag", value: scope.tag };
}

function limitScope(scope: LimitConfig["scope"]): RateLimit["scope"] {
  if ("key" in scope) return { kind: "key", value: scope.key };
  return "team" in scope ? { kind: "team", value: scope.team } : { kind: "upstream", value: scope.upstream };
}

function checkUpstream(
  section: string,
  entry: string,
  name: string,
  config: FairleadConfig,
  resolution: Resolution,
): void {
  const known = Object.keys(config.upstreams);
  if (name === "*" || known.includes(name)) return;
  const at = [section, entry, "scope", "upstream"];
  const what = `there is no upstream ${JSON.stringify(name)}`;
  const expected = known.length === 0 ? "an upstream of this config" : `one of ${known.join(", ")}`;
  resolution.faults.push({ at, what, expected, suggestion: nearNames(name, known)[0] });
}

/** Turns the config's budgets into what admission counts; one of a provider that nobody uses holds nothing and is told. */
export function resolveBudgets(
  config: FairleadConfig,
  providers: ReadonlySet<string>,
  resolution: Resolution,
): Budget[] {
  return Object.entries(config.budgets).map(([name, budget]): Budget => {
    const scope = scopeOf(budget.scope);
    if (scope.kind === "upstream") checkUpstream("budgets", name, scope.value ?? "", config, resolution);
    if (scope.kind === "provider" && !providers.has(scope.value ?? "")) {
      resolution.warnings.push(
        `budgets.${name} is about the provider ${JSON.stringify(scope.value)}, which no upstream uses: it counts nothing`,
      );
    }
    const { window, timeZone } = budget;
    return {
      id: configId(name),
      name,
      scope,
      limit: fromDollars(budget.limitUsd),
      window:
        typeof window === "string"
          ? { kind: "calendar", unit: window, timeZone }
          : { kind: "rolling", lengthMs: window.rollingHours * hourMs },
      hard: budget.hard,
      onExhausted: budget.onExhausted,
      notifyAt: [...new Set(budget.notifyAt)].sort((a, b) => a - b),
      source: "config",
    };
  });
}

/** Turns the config's limits into what admission counts; one that limits nothing is a fault. */
export function resolveLimits(config: FairleadConfig, resolution: Resolution): RateLimit[] {
  return Object.entries(config.limits).map(([name, limit]): RateLimit => {
    const scope = limitScope(limit.scope);
    if (scope.kind === "upstream") checkUpstream("limits", name, scope.value, config, resolution);
    const { requestsPerMinute, tokensPerMinute, concurrency } = limit;
    if (requestsPerMinute === undefined && tokensPerMinute === undefined && concurrency === undefined) {
      const expected = "`requestsPerMinute`, `tokensPerMinute` or `concurrency`";
      resolution.faults.push({ at: ["limits", name], what: "limits nothing", expected });
    }
    return { id: configId(name), name, scope, requestsPerMinute, tokensPerMinute, concurrency, source: "config" };
  });
}
