import { z } from "zod";
import { tokensAnswer, usageRange } from "./usage-api.ts";
import { wireTime } from "./wire-fields.ts";

export const experimentsQuery = z.strictObject(usageRange);

const interval = z
  .strictObject({ low: z.number(), high: z.number() })
  .nullable()
  .describe("Where the true value lies with 95 % confidence; null where too little is known.");

const verdict = z
  .enum(["higher", "lower", "no_difference_shown", "unknown"])
  .describe("Against the first arm, at 95 % confidence; `unknown` where too little is known.");

export const armAnswer = z.strictObject({
  arm: z.string(),
  share: z.number().describe("Of the experiment's requests that it should get."),
  targets: z.array(z.string()).nullable(),
  strategy: z.string().nullable(),
  requests: z.number().int(),
  errors: z.number().int(),
  error_share: z.number().nullable(),
  error_share_interval: interval,
  tokens: tokensAnswer,
  cost_usd: z.number().nullable().describe("Null when nothing of it has a price."),
  unpriced: z.number().int().describe("Requests with tokens nobody knows the price of; left out of the mean."),
  mean_cost_usd: z.number().nullable(),
  mean_cost_interval: interval,
  mean_ms: z.number().nullable(),
  mean_ms_interval: interval,
  mean_first_content_ms: z.number().nullable(),
  saved_usd: z.number(),
  against_first: z
    .strictObject({ errors: verdict, cost: verdict, latency: verdict })
    .nullable()
    .describe("Null for the first arm."),
});

export const experimentAnswer = z.strictObject({
  name: z.string(),
  models: z.array(z.string()).describe("Public names it is about; empty for requests that name none."),
  sticky: z.enum(["conversation", "key", "user", "request"]),
  arms: z.array(armAnswer),
});

const mean = z.strictObject({
  mean: z.number().nullable(),
  of: z.number().int().describe("Copies it is the mean of."),
});

export const shadowAnswer = z.strictObject({
  name: z.string(),
  target: z.string(),
  sample: z.number(),
  copies: z.number().int().describe("In the ledger, over the range asked for."),
  errors: z.number().int(),
  cost_usd: z.number().nullable(),
  mean_ms: z.number().nullable(),
  since_start: z
    .strictObject({
      drawn: z.number().int(),
      running: z.number().int(),
      answered: z.number().int(),
      failed: z.number().int(),
      compared: z.number().int(),
      skipped: z.record(z.string(), z.number().int()).describe("Requests that were drawn and not copied, by why."),
      same_finish: mean,
      similarity: mean.describe("0 to 1: sequences of three characters that both texts have."),
      same_text: mean.describe("Of short answers."),
      same_calls: mean.describe("Where either called tools."),
      both_json: mean.describe("Where JSON was wanted."),
      length_ratio: mean,
      duration_difference_ms: mean.describe("Above 0: the copy took longer."),
      first_content_difference_ms: mean.describe("Of streams."),
      cost_difference_usd: mean.describe("Above 0: the copy cost more."),
    })
    .describe("Of this process, whatever range was asked for. No text is kept."),
});

export const experimentsAnswer = z.strictObject({
  from: wireTime,
  to: wireTime,
  experiments: z.array(experimentAnswer),
  shadows: z.array(shadowAnswer),
});

export type ArmAnswer = z.output<typeof armAnswer>;
export type ExperimentAnswer = z.output<typeof experimentAnswer>;
export type ShadowAnswer = z.output<typeof shadowAnswer>;
export type ExperimentsAnswer = z.output<typeof experimentsAnswer>;
export type ArmVerdict = z.output<typeof verdict>;
