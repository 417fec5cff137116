import { z } from "zod";
import { dollars, ms, name, targetReference } from "./config-fields.ts";
import { placements } from "./names.ts";
import { balancerNames } from "./routing-names.ts";
import { conditionSchema } from "./strategy-schema.ts";

/** What stands under `routing` and decides where requests go, beside the strategies themselves. */

export const strategyName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,63}$/, "lower-case letters, digits, _ and -, at most 64 characters");

export const regionName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits and . _ -");

export const spillSchema = z
  .strictObject({
    maxTtftMs: ms(10_000, "Longest predicted time to the first token that is waited for locally."),
    maxUsdPerHour: dollars(
      "What may be spent on spilled requests in any hour; after that they wait locally.",
    ).optional(),
  })
  .describe("When a request whose local target would answer too late goes to cloud.");

export const residencySchema = z
  .strictObject({
    name: name.describe("Unique; warnings and refusals tell it."),
    when: conditionSchema
      .optional()
      .describe("Which requests it is about, by `request`, `key` and `headers`; all unless given."),
    placement: z.enum(placements).optional().describe("Where they may go."),
    regions: z
      .array(regionName)
      .min(1)
      .optional()
      .describe("Regions they may go to; an upstream without a region is in none."),
  })
  .refine(({ placement, regions }) => placement !== undefined || regions !== undefined, {
    message: "expected `placement` or `regions`",
  })
  .describe("Data that may not leave. It binds every target that is ever asked, fallbacks and shadow copies included.");

export const armSchema = z
  .strictObject({
    name: name.describe("Unique in its experiment; results are by it."),
    weight: z.number().gt(0).max(1_000_000).default(1).describe("Shares are relative to the other arms'."),
    targets: z.array(targetReference).min(1).optional().describe("Tried in order."),
    strategy: strategyName.optional().describe("In place of targets."),
  })
  .refine(({ targets, strategy }) => (targets === undefined) !== (strategy === undefined), {
    message: "expected `targets` or `strategy`, one of the two",
  })
  .describe("One side of an experiment.");

export const experimentSchema = z
  .strictObject({
    name: name.describe("Unique; decisions and results tell it."),
    when: conditionSchema.optional().describe("Which requests take part; all unless given."),
    models: z
      .array(name)
      .default([])
      .describe("Public names it is about; unless given, requests that leave the choice to the router."),
    sticky: z
      .enum(["conversation", "key", "user", "request"])
      .default("conversation")
      .describe("What stays with one arm."),
    arms: z.array(armSchema).min(2).describe("Its sides, two or more."),
  })
  .describe("A split of requests over arms, with results for each.");

export const shadowSchema = z
  .strictObject({
    name: name.describe("Unique; results are by it."),
    when: conditionSchema.optional().describe("Which requests are copied; all unless given."),
    target: targetReference.describe("Gets the copies; its answers are compared and never returned."),
    sample: z.number().gt(0).max(1).default(0.05).describe("Share of requests that are copied."),
    maxConcurrent: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(4)
      .describe("Copies that run at one time; others are left out."),
    maxUsdPerDay: dollars("What copies may cost in any 24 hours; others are left out.").optional(),
  })
  .describe("Copies of some requests for a target that is tried out.");

export const routingPolicyFields = {
  strategy: strategyName
    .default("auto")
    .describe("How requests are placed that name no model, where neither request nor key nor route says."),
  balance: z
    .enum(balancerNames)
    .default("peak_ewma")
    .describe("How requests are spread over equal targets, such as one model on several upstreams."),
  spill: z
    .union([z.literal(false), spillSchema.prefault({})])
    .default({ maxTtftMs: 10_000 })
    .describe("Leaving for cloud when local would answer too late; `false` never does."),
  nearRegions: z
    .record(regionName, z.array(regionName))
    .default({})
    .describe(
      "Region → regions near it, nearest first. Without it, those that share the first part of the name are near.",
    ),
  residency: z.array(residencySchema).default([]).describe("Where which data may go, whatever a strategy prefers."),
  experiments: z.array(experimentSchema).max(100).default([]).describe("Splits of requests over arms."),
  shadows: z.array(shadowSchema).max(20).default([]).describe("Copies of requests for targets that are tried out."),
  decisions: z
    .strictObject({
      keep: z.number().int().min(0).max(1_000_000).default(1_000).describe("The last so many are kept in memory."),
    })
    .prefault({})
    .describe("Decisions that `GET /v1/decisions/{id}` answers without the ledger."),
};

export type SpillConfig = z.infer<typeof spillSchema>;
export type ResidencyConfig = z.infer<typeof residencySchema>;
export type ExperimentConfig = z.infer<typeof experimentSchema>;
export type ShadowConfig = z.infer<typeof shadowSchema>;
