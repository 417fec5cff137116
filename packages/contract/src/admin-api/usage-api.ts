import { z } from "zod";
import { placements } from "../names.ts";
import { wireId, wireTime } from "./wire-fields.ts";

/** Plain data of the running gateway. */
export const statusAnswer = z.strictObject({ data: z.unknown() });

/** What reports may be grouped by. */
export const wireDimensions = [
  "model",
  "target",
  "placement",
  "provider",
  "upstream",
  "key",
  "team",
  "user",
  "tag",
  "day",
  "hour",
] as const;

const groupBy = z
  .string()
  .max(100)
  .default("")
  .transform((text) => (text === "" ? [] : text.split(",").map((part) => part.trim())))
  .pipe(z.array(z.enum(wireDimensions)).max(2))
  .refine((list) => new Set(list).size === list.length, "two different dimensions")
  .describe(`At most two of ${wireDimensions.join(", ")}, with a comma between.`);

const timeZone = z
  .string()
  .max(100)
  .default("UTC")
  .refine((name) => {
    try {
      new Intl.DateTimeFormat("en", { timeZone: name });
      return true;
    } catch {
      return false;
    }
  }, "expected an IANA time zone such as `Europe/Berlin`")
  .describe("Whose days are meant.");

const day = z.iso.date();
const moment = z.union([wireTime, day], "expected a day such as 2026-11-01, or an ISO 8601 time with its zone");

/** A report's range in time. */
export const usageRange = {
  from: moment.optional().describe("First moment; 30 days ago unless given. A day begins at 00:00 UTC."),
  to: moment.optional().describe("First moment after; now unless given."),
};

const filters = {
  model: wireId.optional(),
  target: wireId.optional(),
  placement: z.enum(placements).optional(),
  provider: wireId.optional(),
  upstream: wireId.optional(),
  key: wireId.optional().describe("Id of a key."),
  team: wireId.optional(),
  user: wireId.optional(),
  tag: wireId.optional(),
};

const offsetPage = {
  limit: z.coerce.number().int().min(1).max(10_000).default(1_000),
  cursor: z
    .string()
    .regex(/^\d{1,9}$/, "`next_cursor` of the page before")
    .optional(),
};

export const usageQuery = z.strictObject({
  ...usageRange,
  ...filters,
  group_by: groupBy,
  time_zone: timeZone,
  ...offsetPage,
});

const group = z.record(z.string(), z.string().nullable()).describe("By dimension; null where rows have no such value.");
const usd = z.number();

export const tokensAnswer = z.strictObject({
  input: z.number().describe("All of it: cached reads, cache writes and audio as well."),
  cached_read: z.number(),
  cache_write: z.number(),
  long_cache_write: z.number(),
  audio_input: z.number(),
  output: z.number().describe("All of it: reasoning and audio as well."),
  reasoning: z.number(),
  audio_output: z.number(),
});

export const usageRowAnswer = z.strictObject({
  group,
  requests: z.number().int(),
  errors: z.number().int(),
  attempts: z.number().int(),
  tokens: tokensAnswer,
  estimated: z.number().int().describe("Requests whose tokens are partly an estimate."),
  cost_usd: usd.nullable().describe("Null when nothing of it has a price."),
  unpriced: z.number().int().describe("Requests with tokens nobody knows the price of; not part of the cost."),
  compared: z.number().int().describe("Requests that the next two figures are about."),
  reference_cost_usd: usd.describe("What they would have cost on the reference cloud model."),
  saved_usd: usd,
  average_ms: z.number().nullable(),
  average_first_content_ms: z.number().nullable(),
});
const reportRange = { from: wireTime, to: wireTime, next_cursor: z.string().nullable() };
export const usageAnswer = z.strictObject({ data: z.array(usageRowAnswer), ...reportRange });

export const savingsRowAnswer = z.strictObject({
  group,
  requests: z.number().int(),
  compared: z.number().int(),
  cost_usd: usd,
  reference_cost_usd: usd,
  saved_usd: usd,
});
export const savingsAnswer = z.strictObject({
  data: z.array(savingsRowAnswer),
  reference: z.string().nullable().describe("The cloud model that is compared with."),
  ...reportRange,
});

const outcome = z.enum(["ok", "error", "client_gone", "interrupted"]);
export const listDecisionsQuery = z.strictObject({
  ...usageRange,
  ...filters,
  outcome: outcome.optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.string().max(600).optional(),
});
export const decisionAnswer = z
  .looseObject({ id: z.string(), at: wireTime })
  .describe("One exchange: what was asked, where it went and why, what each attempt used and cost.");
export const decisionPage = z.strictObject({ data: z.array(decisionAnswer), next_cursor: z.string().nullable() });

export const exportQuery = z.strictObject({
  ...usageRange,
  ...filters,
  outcome: outcome.optional(),
  format: z.enum(["csv", "jsonl"]).default("jsonl"),
});

export const repriceBody = z.strictObject({
  from: moment,
  to: moment,
  dry_run: z.boolean().default(true).describe("Only tells what would change."),
});
export const repriceAnswer = z.strictObject({
  dry_run: z.boolean(),
  attempts: z.number().int(),
  changed: z.number().int(),
  without_price: z.number().int(),
  cost_before_usd: usd,
  cost_after_usd: usd,
});

export type UsageAnswer = z.output<typeof usageAnswer>;
export type UsageRowAnswer = z.output<typeof usageRowAnswer>;
export type SavingsAnswer = z.output<typeof savingsAnswer>;
export type UsageRequest = z.output<typeof usageQuery>;
