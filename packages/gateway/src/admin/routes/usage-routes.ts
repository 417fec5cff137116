import {
  type SavingsAnswer,
  savingsAnswer,
  type UsageRequest,
  type UsageRowAnswer,
  usageAnswer,
  usageQuery,
} from "@fairlead/contract/admin-api/usage-api";
import { GatewayError } from "../../core/errors.ts";
import { toDollars } from "../../core/money.ts";
import { may } from "../../keys/roles.ts";
import type { UsageFilters, UsageRow } from "../../ledger/ledger-query.ts";
import type { AdminDeps } from "../admin-deps.ts";
import type { AdminIdentity } from "../admin-identity.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import { dollarsOrNull, tokensOf } from "../exchange-wire.ts";
import { isoTime } from "../wire-time.ts";

const usualRangeMs = 30 * 86_400_000;

/** @throws GatewayError `invalid_request` for an empty range */
export function readRange(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number } {
  const toMs = query.to === undefined ? nowMs : Date.parse(query.to);
  const fromMs = query.from === undefined ? toMs - usualRangeMs : Date.parse(query.from);
  if (fromMs >= toMs) {
    throw new GatewayError("invalid_request", "query.from must be before query.to.", { param: "query.from" });
  }
  return { fromMs, toMs };
}

/** The filters of a query. */
export function readFilters(query: UsageFilters): UsageFilters {
  const { model, target, placement, provider, upstream, key, team, user, tag } = query;
  return { model, target, placement, provider, upstream, key, team, user, tag };
}

/** @throws GatewayError `role_forbids` when a member asks for somebody else's */
function ownFilters(query: UsageFilters, by: AdminIdentity): UsageFilters {
  const filters = readFilters(query);
  if (may(by.role, "usage.read")) return filters;
  if (by.userId === undefined || (filters.user !== undefined && filters.user !== by.userId)) {
    throw new GatewayError("role_forbids", "The role member sees its own usage only.", { param: "query.user" });
  }
  return { ...filters, user: by.userId };
}

function usageRowOf(row: UsageRow): UsageRowAnswer {
  return {
    group: row.group as Record<string, string | null>,
    requests: row.requests,
    errors: row.errors,
    attempts: row.attempts,
    tokens: tokensOf(row.usage),
    estimated: row.estimated,
    cost_usd: dollarsOrNull(row.cost),
    unpriced: row.unpriced,
    compared: row.compared,
    reference_cost_usd: toDollars(row.referenceCost),
    saved_usd: toDollars(row.saved),
    average_ms: row.averageMs ?? null,
    average_first_content_ms: row.averageFirstContentMs ?? null,
  };
}

function pageAt<T>(
  rows: readonly T[],
  query: UsageRequest,
): { readonly data: T[]; readonly next_cursor: string | null } {
  const start = Number(query.cursor ?? 0);
  const end = start + query.limit;
  return { data: rows.slice(start, end), next_cursor: end < rows.length ? String(end) : null };
}

/** What was used and what it cost, and what that saved against the reference model. */
export function usageRoutes({ ledger, clock }: AdminDeps): readonly AdminRoute[] {
  const reportOf = (query: UsageRequest, filters: UsageFilters) => {
    const range = readRange(query, clock.now());
    const wire = { from: isoTime(range.fromMs), to: isoTime(range.toMs) };
    return { asked: { ...range, groupBy: query.group_by, filters, timeZone: query.time_zone }, wire };
  };
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/usage",
      permission: "usage.read_own",
      summary: "Usage and cost, grouped by up to two dimensions; members see their own",
      query: usageQuery,
      answer: usageAnswer,
      async handle({ query, by }) {
        const { asked, wire } = reportOf(query, ownFilters(query, by));
        const rows = await ledger.database.usage(asked);
        return { ...pageAt(rows.map(usageRowOf), query), ...wire };
      },
    }),
    adminRoute({
      method: "get",
      path: "/admin/v1/savings",
      permission: "savings.read",
      summary: "Cost against what the reference cloud model would have cost",
      query: usageQuery,
      answer: savingsAnswer,
      async handle({ query }) {
        const { asked, wire } = reportOf(query, readFilters(query));
        const rows = await ledger.database.savings(asked);
        const data = rows.map((row) => ({
          group: row.group as Record<string, string | null>,
          requests: row.requests,
          compared: row.compared,
          cost_usd: toDollars(row.cost),
          reference_cost_usd: toDollars(row.referenceCost),
          saved_usd: toDollars(row.saved),
        })) satisfies SavingsAnswer["data"];
        return { ...pageAt(data, query), ...wire, reference: ledger.reference() ?? null };
      },
    }),
  ];
}
