import { modelInfoAnswer, spendLogsAnswer, spendLogsQuery } from "@fairlead/contract/admin-api/litellm-api";
import type { z } from "zod";
import { toDollars } from "../../core/money.ts";
import type { LedgerRow } from "../../ledger/ledger-row.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import { isoTime } from "../wire-time.ts";
import { presentedVirtualKey } from "./key-fields.ts";

const mostLogs = 1_000;
const dayMs = 86_400_000;
const usualRangeMs = 30 * dayMs;

function logOf({ record }: LedgerRow): z.input<typeof spendLogsAnswer>[number] {
  const { usage } = record;
  return {
    request_id: record.id,
    call_type: "acompletion",
    api_key: record.keyId ?? "",
    spend: toDollars(record.cost ?? 0),
    prompt_tokens: usage.inputTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: usage.inputTokens + usage.outputTokens,
    startTime: isoTime(record.at),
    endTime: isoTime(record.at + Math.round(record.durationMs)),
    model: record.served?.model ?? record.asked,
    custom_llm_provider: record.served?.provider ?? "",
    user: record.user ?? "",
    team_id: record.team ?? "",
    request_tags: [...record.tags],
    status: record.outcome === "ok" ? "success" : "failure",
  };
}

/** `/model/info` and `/spend/logs` as LiteLLM's management API has them. */
export function litellmReportRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { ledger, clock, directory } = deps;
  return [
    adminRoute({
      method: "get",
      path: "/model/info",
      permission: "upstreams.read",
      summary: "Models with limits and prices (LiteLLM's names)",
      answer: modelInfoAnswer,
      async handle() {
        const data = deps.models().map((model) => ({
          model_name: model.name,
          litellm_params: { model: model.target },
          model_info: {
            id: model.target,
            litellm_provider: model.provider,
            mode: "chat" as const,
            max_input_tokens: model.maxInputTokens ?? null,
            max_output_tokens: model.maxOutputTokens ?? null,
            input_cost_per_token: model.inputCost ?? null,
            output_cost_per_token: model.outputCost ?? null,
          },
        }));
        return { data };
      },
    }),
    adminRoute({
      method: "get",
      path: "/spend/logs",
      permission: "decisions.read",
      summary: "The newest 1,000 requests with their cost (LiteLLM's names)",
      query: spendLogsQuery,
      answer: spendLogsAnswer,
      async handle({ query }) {
        if (query.request_id !== undefined) {
          const row = await ledger.database.exchange(query.request_id);
          return row === undefined ? [] : [logOf(row)];
        }
        const key =
          query.api_key === undefined ? undefined : (await presentedVirtualKey(directory, query.api_key, deps)).id;
        // The end date is in.
        const toMs = query.end_date === undefined ? clock.now() : Date.parse(query.end_date) + dayMs;
        const fromMs = query.start_date === undefined ? toMs - usualRangeMs : Date.parse(query.start_date);
        const filters = { key, user: query.user_id };
        const { rows } = await ledger.database.exchanges({ fromMs, toMs, filters, limit: mostLogs });
        return rows.map(logOf);
      },
    }),
  ];
}
