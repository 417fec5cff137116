import { z } from "zod";
import { placements } from "./names.ts";

/** What `POST /v1/route` and `GET /v1/decisions/{id}` answer, as far as a reader of decisions relies on it. */

const nullable = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? null);
const target = z.string();

export const decisionFeatures = z.looseObject({
  prompt_tokens: z.number(),
  input_tokens: z.number(),
  window_tokens: z.number(),
  max_tokens: z.number(),
  requested_max_tokens: nullable(z.number()),
  task: z.string(),
  language: z.string(),
  modalities: z.array(z.string()),
  turns: z.number(),
  has_tools: z.boolean(),
  wants_json: z.boolean(),
  complexity: z.number(),
  complexity_rules: z.number(),
  signals: z.array(z.object({ name: z.string(), weight: z.number() })),
  prefix_hash: z.number(),
  conversation_hash: z.number(),
});

export const decisionCandidate = z.object({
  target,
  cost_usd: nullable(z.number()),
  ttft_ms: nullable(z.number()),
  quality: nullable(z.number()),
  in_flight: z.number(),
});

export const decisionSchema = z.looseObject({
  id: z.string(),
  at: z.string(),
  backend: nullable(z.enum(placements)),
  target: nullable(target),
  reason: nullable(z.string()),
  strategy: nullable(z.string()),
  asked: z.string(),
  model: nullable(z.string()),
  near_names: z.array(z.string()).default([]),
  first_choice: nullable(target),
  fallback: nullable(z.object({ from: target, why: z.string() })),
  exclusions: z.array(z.object({ target, reason: z.string() })).default([]),
  confined_to: nullable(z.enum(placements)),
  rule: nullable(z.string()),
  features: decisionFeatures.optional(),
  needs: z.array(z.string()).default([]),
  wish: z.record(z.string(), z.unknown()).default({}),
  order: z.array(target).default([]),
  candidates: z.array(decisionCandidate).default([]),
  experiment: nullable(z.object({ name: z.string(), arm: z.string(), probability: z.number() })),
  control: nullable(z.object({ threshold: z.number(), chose: z.enum(placements) })),
  spill_cost_usd: nullable(z.number()),
  /** Of `attempts`, the one that was started beside a late one. */
  hedge: nullable(z.number()),
  /** Of `attempts`, those that went on where a stream broke off. */
  continued: z.array(z.number()).default([]),
  attempts: z
    .array(
      z.object({
        target,
        placement: z.enum(placements),
        duration_ms: z.number(),
        first_content_ms: nullable(z.number()),
        error: nullable(z.string()),
      }),
    )
    .default([]),
  status: z.number(),
  outcome: z.string(),
});

export type DecisionAnswer = z.output<typeof decisionSchema>;
