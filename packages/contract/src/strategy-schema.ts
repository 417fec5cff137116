import { z } from "zod";
import { targetReference } from "./config-fields.ts";
import { placements, routingReasons } from "./names.ts";
import { balancerNames, orderNames } from "./routing-names.ts";

/** The form of a strategy's rules, in the config and in the files of the built-in ones. */

const scalar = z.union([z.string(), z.number(), z.boolean()]);

export const comparisonSchema = z
  .strictObject({
    gt: z.number().optional().describe("More than this."),
    gte: z.number().optional().describe("This or more."),
    lt: z.number().optional().describe("Less than this."),
    lte: z.number().optional().describe("This or less."),
    in: z.array(scalar).min(1).optional().describe("Any of these; for a list, when it holds any of them."),
    not: scalar.optional().describe("Anything but this; for a list, when it does not hold it."),
  })
  .describe("Bounds and values; all of them must hold.");

export const conditionSchema = z
  .union([
    z.string().min(1).describe("A CEL expression, for example `request.promptTokens > 2000 && key.team == 'search'`."),
    z
      .record(z.string(), z.union([scalar, comparisonSchema]))
      .describe(
        "Field → value or bounds, for example `{ request.task: translation, request.promptTokens: { lt: 500 } }`.",
      ),
  ])
  .describe(
    "When it holds. Facts: `request`, `key`, `headers`, `local`, `cloud`, `settings`, `now`, and `target` in `where`.",
  );

export const selectionSchema = z
  .strictObject({
    targets: z
      .array(targetReference)
      .min(1)
      .optional()
      .describe(
        "These, also `@autoCloud`, `@longContext` and `@fallback` for the lists under `routing`; all unless given.",
      ),
    placement: z.enum(placements).optional().describe("Only those of this placement."),
    tags: z.array(z.string().min(1)).min(1).optional().describe("Only those that have all of these tags."),
    where: conditionSchema.optional().describe("Only those for which this holds; `target` is the one in question."),
    order: z
      .union([z.enum(orderNames), z.array(z.enum(orderNames)).min(1)])
      .default("listed")
      .describe("The first order decides, the next one among equals."),
    balance: z.enum(balancerNames).optional().describe("How equal ones are spread; `routing.balance` unless given."),
    limit: z.number().int().min(1).optional().describe("Only the first so many."),
    weights: z
      .strictObject({
        cost: z.number().min(0).default(1).describe("Of the expected price."),
        latency: z.number().min(0).default(1).describe("Of the time to the first token."),
        quality: z.number().min(0).default(1).describe("Of the model's quality."),
      })
      .optional()
      .describe("For the order `balanced`."),
  })
  .describe("Which targets, and in which order.");

export const ruleSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$/, "letters, digits, spaces and . _ -, at most 80 characters")
      .describe("Unique in its strategy; decisions tell it."),
    description: z.string().optional().describe("For people."),
    when: conditionSchema.optional().describe("Always unless given."),
    reason: z.enum(routingReasons).default("strategy").describe("What decisions by this rule say."),
    prefer: z
      .union([selectionSchema, z.array(selectionSchema).min(1)])
      .describe(
        "What is preferred; of a list each next one stands behind. A rule that selects nothing is passed over.",
      ),
    fallback: z
      .union([selectionSchema, z.array(selectionSchema)])
      .optional()
      .describe("Tried behind what is preferred; `routing.fallback` unless given, `[]` for nothing."),
    confinedTo: z.enum(placements).optional().describe("The request never leaves this placement, whatever fails."),
  })
  .describe("One rule: the first whose condition holds and that selects any target decides.");

export const controlSchema = z
  .union([
    z.strictObject({ cloudShare: z.number().min(0).max(1).describe("Share of requests that go to cloud.") }),
    z.strictObject({ dollarsPerDay: z.number().gt(0).max(1_000_000_000).describe("Spent in cloud, in any 24 hours.") }),
  ])
  .describe("Holds the strategy to a share of cloud or to daily dollars: the most complex requests go to cloud.");

export const strategySchema = z
  .strictObject({
    description: z.string().optional().describe("What it does; `fairlead strategies` shows it."),
    settings: z
      .record(z.string().regex(/^[A-Za-z][A-Za-z0-9]*$/), scalar)
      .default({})
      .describe(
        "Values that conditions read as `settings.<name>`; with them alone a built-in strategy keeps its rules.",
      ),
    control: controlSchema.optional(),
    rules: z
      .array(ruleSchema)
      .min(1)
      .optional()
      .describe("In order. Unless given: those of the built-in strategy of this name."),
  })
  .describe("How requests without an explicit model are placed.");

export type ConditionConfig = z.infer<typeof conditionSchema>;
export type SelectionConfig = z.infer<typeof selectionSchema>;
export type RuleConfig = z.infer<typeof ruleSchema>;
export type StrategyConfig = z.infer<typeof strategySchema>;
export type ControlConfig = z.infer<typeof controlSchema>;
