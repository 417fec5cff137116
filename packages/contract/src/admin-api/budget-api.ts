import { z } from "zod";
import { budgetSchema, budgetScopeSchema, limitSchema } from "../governance-schema.ts";
import { pageOf, pageQuery, wireName, wireTime, wireUsd, wireVersion } from "./wire-fields.ts";

const { window, timeZone, hard, onExhausted, notifyAt } = budgetSchema.shape;

const rollingWindow = z.strictObject({ rolling_hours: z.number().min(1).max(8_784) });
const wireWindow = z.union([z.enum(["hour", "day", "week", "month"]), rollingWindow]);

export const budgetAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  source: z.enum(["config", "api"]).describe("Those of the config are changed there."),
  scope: budgetScopeSchema,
  limit_usd: wireUsd,
  window: wireWindow,
  time_zone: z.string(),
  hard: z.boolean(),
  on_exhausted: z.enum(["self_hosted", "refuse"]),
  notify_at: z.array(z.number()),
  version: z.number().int().nullable(),
  current: z
    .strictObject({
      spent_usd: z.number(),
      held_usd: z.number().describe("Reserved for requests that run."),
      remaining_usd: z.number(),
      window_started_at: wireTime,
      window_ends_at: wireTime.nullable().describe("Null for rolling windows."),
    })
    .nullable()
    .describe("Null when the budget is not in force yet."),
});

export const createBudgetBody = z.strictObject({
  name: wireName,
  scope: budgetScopeSchema,
  limit_usd: wireUsd,
  window: wireWindow.default("day").describe(window.description ?? ""),
  time_zone: timeZone,
  hard,
  on_exhausted: onExhausted,
  notify_at: notifyAt,
});

export const updateBudgetBody = z
  .strictObject({
    limit_usd: wireUsd,
    window: wireWindow,
    time_zone: timeZone.unwrap(),
    hard: hard.unwrap(),
    on_exhausted: onExhausted.unwrap(),
    notify_at: notifyAt.unwrap(),
  })
  .partial()
  .extend({ version: wireVersion.optional() });

export const listBudgetsQuery = z.strictObject(pageQuery);
export const budgetPage = pageOf(budgetAnswer);

const amounts = {
  requests_per_minute: z.number().int().min(1).max(1_000_000_000).nullable(),
  tokens_per_minute: z.number().int().min(1).max(1_000_000_000_000).nullable(),
  concurrency: z.number().int().min(1).max(1_000_000).nullable(),
};

export const limitAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  source: z.enum(["config", "api"]),
  scope: limitSchema.shape.scope,
  ...amounts,
  version: z.number().int().nullable(),
});

export const createLimitBody = z.strictObject({
  name: wireName,
  scope: limitSchema.shape.scope,
  requests_per_minute: amounts.requests_per_minute.default(null),
  tokens_per_minute: amounts.tokens_per_minute.default(null),
  concurrency: amounts.concurrency.default(null),
});

export const updateLimitBody = z.strictObject(amounts).partial().extend({ version: wireVersion.optional() });
export const listLimitsQuery = z.strictObject(pageQuery);
export const limitPage = pageOf(limitAnswer);

export type BudgetAnswer = z.output<typeof budgetAnswer>;
export type LimitAnswer = z.output<typeof limitAnswer>;
export type CreateBudgetBody = z.output<typeof createBudgetBody>;
