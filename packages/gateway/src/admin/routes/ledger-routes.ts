import {
  decisionAnswer,
  decisionPage,
  exportQuery,
  listDecisionsQuery,
  repriceAnswer,
  repriceBody,
} from "@fairlead/contract/admin-api/usage-api";
import { idParams } from "@fairlead/contract/admin-api/wire-fields";
import { toDollars } from "../../core/money.ts";
import type { ExchangeFilters } from "../../ledger/ledger-query.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, notFound } from "../admin-route.ts";
import { exchangeWire } from "../exchange-wire.ts";
import { exportResponse } from "../export-stream.ts";
import { readFilters, readRange } from "./usage-routes.ts";

function exchangeFilters(query: ExchangeFilters): ExchangeFilters {
  return { ...readFilters(query), outcome: query.outcome };
}

function readRoutes({ ledger, clock }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/decisions",
      permission: "decisions.read",
      summary: "List exchanges: where each went, why, and what it cost; newest first",
      query: listDecisionsQuery,
      answer: decisionPage,
      async handle({ query }) {
        const { rows, next } = await ledger.database.exchanges({
          ...readRange(query, clock.now()),
          filters: exchangeFilters(query),
          limit: query.limit,
          cursor: query.cursor,
        });
        return { data: rows.map(exchangeWire), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/decisions/{id}",
      permission: "decisions.read",
      summary: "Read one exchange, by the id in `X-Router-Decision-Id`",
      params: idParams,
      answer: decisionAnswer,
      async handle({ params }) {
        const row = await ledger.database.exchange(params.id);
        if (row === undefined) throw notFound("exchange", params.id);
        return exchangeWire(row);
      },
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/ledger/export",
      permission: "ledger.export",
      summary: "Export exchanges, oldest first",
      query: exportQuery,
      answer: ["text/csv", "application/jsonl"],
      async handle({ query }) {
        const asked = { ...readRange(query, clock.now()), filters: exchangeFilters(query) };
        return exportResponse(ledger.database.exportRows(asked), query.format);
      },
    }),
  ];
}

/** Exchanges one by one, their export, and pricing them again. */
export function ledgerRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { ledger, directory, clock } = deps;
  return [
    ...readRoutes(deps),
    adminRoute({
      method: "post",
      path: "/admin/v1/ledger/reprice",
      permission: "ledger.reprice",
      summary: "Price what was used again, with the prices of its time",
      body: repriceBody,
      answer: repriceAnswer,
      async handle({ body, actor }) {
        const { fromMs, toMs } = readRange(body, clock.now());
        const report = await ledger.database.reprice(fromMs, toMs, ledger.prices(), { dryRun: body.dry_run });
        const answer = {
          dry_run: body.dry_run,
          attempts: report.attempts,
          changed: report.changed,
          without_price: report.withoutPrice,
          cost_before_usd: toDollars(report.costBefore),
          cost_after_usd: toDollars(report.costAfter),
        };
        if (!body.dry_run) {
          const details = { from: body.from, to: body.to, ...answer };
          await directory.change(actor, (changes) => changes.note("ledger.repriced", "ledger", details));
        }
        return answer;
      },
    }),
  ];
}
