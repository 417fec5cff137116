import {
  type BudgetAnswer,
  budgetAnswer,
  budgetPage,
  createBudgetBody,
  listBudgetsQuery,
  updateBudgetBody,
} from "@fairlead/contract/admin-api/budget-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import type { Budget } from "../../core/budget.ts";
import { GatewayError } from "../../core/errors.ts";
import { fromDollars } from "../../core/money.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import { budgetAnswerOf, budgetDraft, readWindow, timeZoneOf } from "../budget-wire.ts";

const path = "/admin/v1/budgets";

/** @throws GatewayError `conflict` for what stands in the config: it would come back with the next start */
export function refuseConfigured(kind: string, id: string, configured: readonly { readonly id: string }[]): void {
  if (configured.some((one) => one.id === id)) {
    throw new GatewayError("conflict", `This ${kind} stands in the config and is changed there.`);
  }
}

/** @throws GatewayError `conflict` for a name that the config uses already */
export function refuseConfiguredName(
  kind: string,
  name: string,
  configured: readonly { readonly name: string }[],
): void {
  if (configured.some((one) => one.name === name)) {
    throw new GatewayError("conflict", `The config has a ${kind} of this name.`, { param: "name" });
  }
}

const withStatus = async (budget: Budget, deps: AdminDeps): Promise<BudgetAnswer> =>
  budgetAnswerOf(budget, await deps.budgetStatus.position(budget.id));

function readRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "budgets.read",
      summary: "List budgets with what is spent; those of the config stand on the first page",
      query: listBudgetsQuery,
      answer: budgetPage,
      async handle({ query }) {
        const { items, next } = await deps.directory.list("budget", { limit: query.limit, after: query.cursor });
        const configured = query.cursor === undefined ? deps.configured().budgets : [];
        const data = await Promise.all([...configured, ...items].map((budget) => withStatus(budget, deps)));
        return { data, next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/{id}`,
      permission: "budgets.read",
      summary: "Read a budget with what is spent",
      params: idParams,
      answer: budgetAnswer,
      async handle({ params }) {
        const configured = deps.configured().budgets.find((one) => one.id === params.id);
        const budget = configured ?? (await deps.directory.get("budget", params.id));
        if (budget === undefined) throw notFound("budget", params.id);
        return withStatus(budget, deps);
      },
    }),
  ];
}

function writeRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { directory } = deps;
  return [
    adminRoute({
      method: "post",
      path,
      permission: "budgets.write",
      summary: "Make a budget",
      body: createBudgetBody,
      answer: budgetAnswer,
      status: 201,
      async handle({ body, actor }) {
        refuseConfiguredName("budget", body.name, deps.configured().budgets);
        const budget = await directory.change(actor, (changes) => changes.insert("budget", budgetDraft(body)));
        await deps.changed();
        return withStatus(budget, deps);
      },
    }),
    adminRoute({
      method: "patch",
      path: `${path}/{id}`,
      permission: "budgets.write",
      summary: "Change a budget",
      params: idParams,
      body: updateBudgetBody,
      answer: budgetAnswer,
      async handle({ params, body, actor }) {
        refuseConfigured("budget", params.id, deps.configured().budgets);
        const budget = await directory.change(actor, async (changes) => {
          const old = await changes.get("budget", params.id);
          if (old === undefined) throw notFound("budget", params.id);
          const timeZone = body.time_zone ?? timeZoneOf(old.window);
          const zoned = old.window.kind === "calendar" ? { ...old.window, timeZone } : old.window;
          return changes.update("budget", {
            ...old,
            version: body.version ?? old.version,
            limit: body.limit_usd === undefined ? old.limit : fromDollars(body.limit_usd),
            window: body.window === undefined ? zoned : readWindow(body.window, timeZone),
            hard: body.hard ?? old.hard,
            onExhausted: body.on_exhausted ?? old.onExhausted,
            notifyAt: body.notify_at === undefined ? old.notifyAt : [...body.notify_at].sort((a, b) => a - b),
          });
        });
        await deps.changed();
        return withStatus(budget, deps);
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}`,
      permission: "budgets.write",
      summary: "Delete a budget",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        refuseConfigured("budget", params.id, deps.configured().budgets);
        await directory.change(actor, (changes) => changes.remove("budget", params.id));
        await deps.changed();
        return deleted(params.id);
      },
    }),
  ];
}

/** Budgets: the config's, to read, and the API's own. */
export function budgetRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [...readRoutes(deps), ...writeRoutes(deps)];
}
