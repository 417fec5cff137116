import { z } from "zod";
import { dollars, limitMs, ms, name, secretSchema, targetReference, upstreamName } from "./config-fields.ts";
import {
  adminSchema,
  budgetSchema,
  limitSchema,
  type priceOverrideSchema,
  pricingSchema,
  storageSchema,
  webhookSchema,
} from "./governance-schema.ts";
import { capabilities, engineNames, logLevels, placements, protocolNames } from "./names.ts";
import {
  afterCut,
  attemptTimeoutFields,
  breakerSchema,
  hedgeSchema,
  onRefusal,
  overloadFields,
  retryBudgetSchema,
  routeTimeoutsSchema,
  sharedSchema,
  wakeSchema,
} from "./resilience-schema.ts";
import { balancerNames } from "./routing-names.ts";
import { regionName, routingPolicyFields, strategyName } from "./routing-schema.ts";
import { strategySchema } from "./strategy-schema.ts";

/**
 * The shape of `fairlead.yaml`. Strict: an unknown key is an error. Every default that a user may rely on stands here.
 * Times are milliseconds, sizes bytes, prompt sizes estimated tokens (characters / 4). Descriptions appear in editors.
 */

export const authSchema = z
  .discriminatedUnion("type", [
    z.strictObject({ type: z.literal("none").describe("Sends no credentials.") }),
    z.strictObject({ type: z.literal("bearer").describe("Sends `Authorization: Bearer <key>`."), key: secretSchema }),
    z.strictObject({
      type: z.literal("header").describe("Sends the key in a header of its own."),
      name: z.string().min(1).describe("Header name, for example `x-api-key`."),
      key: secretSchema,
    }),
  ])
  .describe("How requests to this upstream prove who sends them. Presets bring theirs.");

/** Of one attempt, unless given; never more than `totalMs`. */
export const usualTimeouts = {
  connectMs: 5_000,
  firstContentMs: 60_000,
  coldStartMs: 300_000,
  wholeMs: 300_000,
} as const;

export const timeoutsSchema = z
  .strictObject({
    ...attemptTimeoutFields,
    idleMs: limitMs("Longest silence between two bytes; pings count as bytes.").default(120_000),
    totalMs: limitMs("The whole attempt.").default(600_000),
  })
  .describe("Limits of one attempt at this upstream.");

export const healthSchema = z
  .strictObject({
    path: z.string().startsWith("/").optional().describe("Path below the origin of `baseUrl` (not below `/v1`)."),
    intervalMs: z
      .number()
      .int()
      .min(100)
      .max(3_600_000)
      .optional()
      .describe("Time between two probes; 2,000 for local upstreams and 30,000 for cloud ones unless given."),
    timeoutMs: limitMs("Longest wait for an answer.").default(2_000),
  })
  .describe("Active probing.");

export const adequateSchema = z
  .strictObject({
    promptTokens: z.number().int().min(0).default(1_500).describe("Longest prompt, in characters / 4."),
    maxTokens: z
      .number()
      .int()
      .min(0)
      .default(1_024)
      .describe("Largest requested output; an absent one counts as 512."),
  })
  .describe("What `auto` trusts a local deployment with. The defaults suit a 7B model; raise them for stronger ones.");

export const deploymentSchema = z
  .strictObject({
    id: z.string().min(1).describe("The id the upstream knows the model by."),
    aliases: z.array(name).default([]).describe("More names clients may use for this deployment."),
    contextWindow: z.number().int().min(1).optional().describe("Prompt and output together, in tokens."),
    maxOutputTokens: z.number().int().min(1).optional().describe("Largest output the model gives, in tokens."),
    capabilities: z
      .array(z.enum(capabilities))
      .optional()
      .describe("What it can do beyond text. Unless given: what the preset knows, else a guess by placement."),
    adequate: adequateSchema.prefault({}),
    tags: z
      .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/, "letters, digits and . _ : -"))
      .optional()
      .describe("What rules select by. Unless given: what is known of the model (`code`, `premium`, `cheap`)."),
    weights: z
      .strictObject({
        cost: z.number().min(0).max(1).optional().describe("1 is cheapest."),
        latency: z.number().min(0).max(1).optional().describe("1 is fastest."),
        quality: z.number().min(0).max(1).optional().describe("1 is best."),
      })
      .default({})
      .describe("For the orders `quality` and `balanced`, until measured. Unless given: what is known of the model."),
    weight: z.number().min(0).max(1_000_000).default(1).describe("Its share under the balancer `weighted`."),
    slots: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .optional()
      .describe("Requests it works on at once; found out by the engine or by watching unless given."),
  })
  .describe("One model on this upstream.");

export const selfHostedCostSchema = z
  .strictObject({
    perHour: dollars("What one replica costs for an hour, running or idle."),
    replicas: z.number().min(0).max(100_000).default(1).describe("How many run; a mean where they scale."),
    tokensPerHour: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe("Tokens all replicas serve in an hour, input and output together; used until measured."),
    basis: z
      .enum(["amortised", "marginal"])
      .default("amortised")
      .describe(
        "`amortised` spreads the whole hour over what was served; `marginal` only the time the engine was busy.",
      ),
  })
  .describe("What a self-hosted upstream costs, from which the price of its tokens follows.");

export const upstreamSchema = z
  .strictObject({
    preset: z
      .string()
      .optional()
      .describe("Known provider (anthropic, openai, gemini, …) or engine (vllm, ollama, llamacpp, …) to start from."),
    placement: z.enum(placements).optional().describe("`local` is yours and stays on the premises; `cloud` is not."),
    region: regionName.optional().describe("Where it stands, for example `eu-central`."),
    protocol: z.enum(protocolNames).optional().describe("The API the upstream speaks."),
    engine: z.enum(engineNames).optional().describe("Server software, for health and load probes."),
    baseUrl: z
      .url({ protocol: /^https?$/, error: "expected an absolute http:// or https:// URL" })
      .optional()
      .describe("Absolute URL up to and including the API's version, for example `http://127.0.0.1:8000/v1`."),
    auth: authSchema.optional(),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .describe("Sent with every request to this upstream. Not for keys, which stand under `auth`."),
    proxy: z
      .url({ protocol: /^https?$/, error: "expected an absolute http:// or https:// URL" })
      .optional()
      .describe("Proxy for this upstream only; the process's proxy variables are never used."),
    timeouts: timeoutsSchema.prefault({}),
    health: z
      .union([z.literal(false), healthSchema])
      .optional()
      .describe("`false` switches active probing off."),
    cost: selfHostedCostSchema.optional(),
    wake: wakeSchema.optional(),
    models: z
      .array(deploymentSchema)
      .min(1)
      .optional()
      .describe("What this upstream serves. Cloud presets know their usual models; local servers need a list."),
  })
  .describe("A reachable endpoint.");

export const routeSchema = z
  .strictObject({
    targets: z
      .array(targetReference)
      .min(1)
      .optional()
      .describe("Tried in order; with a `strategy`, those it chooses from. All deployments unless given."),
    fallback: z
      .array(targetReference)
      .optional()
      .describe("Tried after the targets; replaces `routing.fallback` for this name."),
    strategy: strategyName.optional().describe("Orders the targets, for example `hybrid`."),
    balance: z
      .enum(balancerNames)
      .optional()
      .describe("How requests are spread over the targets, in place of their order."),
    data: z.literal("local-only").optional().describe("Requests for this name never leave local upstreams."),
    maxTtftMs: limitMs("Longest predicted time to the first token before a local target is passed over.").optional(),
    timeouts: routeTimeoutsSchema.optional(),
    hedge: z.boolean().optional().describe("Whether a late target is hedged; as `routing.hedge` says unless given."),
    onRefusal: onRefusal.optional(),
    afterCut: afterCut.optional(),
  })
  .refine(({ targets, strategy }) => targets !== undefined || strategy !== undefined, {
    message: "expected `targets` or `strategy`",
  })
  .describe("A public name with targets of its own.");

export const routingSchema = z
  .strictObject({
    ...routingPolicyFields,
    unknownModel: z
      .enum(["auto", "reject"])
      .default("auto")
      .describe("A name nobody serves: `auto` lets the router decide, `reject` answers 404."),
    autoCloud: z
      .array(targetReference)
      .default(["claude-sonnet-4-6", "@cloud"])
      .describe("Where `auto` and the cold-start fallback go when nothing says otherwise; the first that exists."),
    longContext: z
      .array(targetReference)
      .default(["gemini-2.5-flash", "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "@cloud"])
      .describe("Cheap targets with a long window, for more than 50,000 estimated tokens."),
    fallback: z
      .array(targetReference)
      .default(["gemini-2.5-flash", "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "@cloud"])
      .describe("The chain behind every request that may leave the premises."),
    maxAttempts: z
      .number()
      .int()
      .min(1)
      .max(10)
      .default(4)
      .describe("Tries over all targets of one request, the first included."),
    retriesPerTarget: z
      .number()
      .int()
      .min(0)
      .max(5)
      .default(1)
      .describe("More tries at one target after an error that allows it."),
    backoffMs: ms(200, "First pause before the same target is asked again; doubles, with full jitter."),
    maxRetryAfterMs: ms(2_000, "Longest `Retry-After` that is waited for before going elsewhere."),
    breaker: breakerSchema.prefault({}),
    retryBudget: retryBudgetSchema.prefault({}),
    hedge: z
      .union([z.literal(false), hedgeSchema])
      .default(false)
      .describe("Whether late targets are hedged, and how often; `false` never does."),
    onRefusal: onRefusal.default("answer"),
    afterCut: afterCut.default("error"),
  })
  .describe("How requests find their deployment.");

export const serverSchema = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default("127.0.0.1")
      .describe(
        "Address to listen on. Anything but loopback needs `auth.key`, `auth.required`, `auth.jwt` or `auth.anonymous: true`.",
      ),
    port: z.number().int().min(0).max(65_535).default(8_080).describe("Port to listen on; 0 takes a free one."),
    maxBodyBytes: z
      .number()
      .int()
      .min(1_024)
      .max(1_073_741_824)
      .default(33_554_432)
      .describe("Largest request body; larger ones are refused with 413."),
    bodyTimeoutMs: ms(
      30_000,
      "A request body must arrive within this time, and one second more for each 32 KiB of it that came.",
    ),
    drainDelayMs: ms(
      1_000,
      "After SIGTERM, requests are still taken this long while readiness already says no, so that load balancers notice.",
    ),
    drainTimeoutMs: ms(30_000, "How long running requests may go on after SIGTERM."),
    keepAliveMs: z
      .number()
      .int()
      .min(100)
      .max(86_400_000)
      .default(15_000)
      .describe("Time between comment lines sent to a waiting streaming client. In milliseconds."),
    commitGraceMs: ms(10_000, "A streaming client gets headers and keep-alives after this long without content."),
    ...overloadFields,
    workers: z
      .number()
      .int()
      .min(1)
      .max(64)
      .default(1)
      .describe("Processes that serve on this machine; they share limits and budgets."),
    watchConfig: z
      .boolean()
      .default(true)
      .describe("Whether a changed config file comes into force by itself; SIGHUP always brings it."),
  })
  .describe("The socket clients connect to.");

export const clientAuthSchema = z
  .strictObject({
    key: secretSchema
      .optional()
      .describe(
        "The shared key clients send as `Authorization: Bearer` or `x-api-key`; `${ENV}`, `{ env }` or `{ file }`.",
      ),
    anonymous: z.boolean().default(false).describe("Serve anyone who can connect, also on a non-loopback address."),
    required: z
      .boolean()
      .default(false)
      .describe("Serve nobody without a key, also while no virtual key has been made yet; others may then connect."),
    secret: secretSchema
      .optional()
      .describe(
        "At least 32 characters that key the hashes of virtual keys and encrypt stored credentials. Unless given, made once and kept in `storage.dir`. Replicas on one PostgreSQL need the same.",
      ),
    jwt: z
      .array(
        z.strictObject({
          issuer: z.url().describe("The `iss` claim, exactly."),
          audience: z.string().min(1).describe("The `aud` claim that names this gateway."),
          jwksUrl: z
            .url({ protocol: /^https?$/ })
            .optional()
            .describe("Where its public keys are; found through the issuer's OpenID configuration unless given."),
          userClaim: z.string().default("sub").describe("Claim that names who asks."),
          teamClaim: z.string().default("team").describe("Claim that names the team; it must exist here."),
          tagsClaim: z.string().optional().describe("Claim whose text or list becomes tags."),
        }),
      )
      .default([])
      .describe("Issuers whose signed tokens are accepted like keys."),
  })
  .describe("Who may use this gateway.");

export const configSchema = z
  .strictObject({
    $schema: z.string().optional().describe("Ignored; for editors."),
    server: serverSchema.prefault({}),
    auth: clientAuthSchema.prefault({}),
    logging: z
      .strictObject({
        level: z.enum(logLevels).default("info").describe("The environment variable LOG_LEVEL overrides it."),
      })
      .prefault({})
      .describe("What the process writes about itself."),
    upstreams: z.record(upstreamName, upstreamSchema).default({}).describe("Where models are served, by name."),
    models: z.record(name, routeSchema).default({}).describe("Public names with targets of their own."),
    aliases: z
      .record(name, z.union([targetReference, z.array(targetReference).min(1)]))
      .default({})
      .describe("Other names for models; laid over the built-in ones. The first candidate that exists is meant."),
    strategies: z
      .record(strategyName, strategySchema)
      .default({})
      .describe(
        "Strategies of your own, and built-in ones with other rules or settings (`fairlead strategies` shows them).",
      ),
    routing: routingSchema.prefault({}),
    storage: storageSchema.prefault({}),
    shared: sharedSchema.prefault({}),
    pricing: pricingSchema.prefault({}),
    budgets: z.record(name, budgetSchema).default({}).describe("Budgets, by name."),
    limits: z.record(name, limitSchema).default({}).describe("Rate limits, by name."),
    webhooks: z.array(webhookSchema).max(20).default([]).describe("Where events are sent."),
    admin: adminSchema.prefault({}),
  })
  .describe("Configuration of a Fairlead gateway.");

/**
 * Where secrets stand, `*` for any name. Text at these paths is kept as written until it is resolved into a secret, and
 * never printed.
 */
export const secretPaths = [
  "auth.key",
  "auth.secret",
  "upstreams.*.auth.key",
  "upstreams.*.wake.key",
  "shared.url",
  "storage.url",
  "webhooks.*.secret",
  "admin.token",
  "admin.oidc.clientSecret",
] as const;

export type FairleadConfig = z.output<typeof configSchema>;
export type FairleadConfigInput = z.input<typeof configSchema>;
export type UpstreamConfig = z.output<typeof upstreamSchema>;
export type UpstreamConfigInput = z.input<typeof upstreamSchema>;
export type DeploymentConfigInput = z.input<typeof deploymentSchema>;
export type RouteConfig = z.output<typeof routeSchema>;
export type AuthConfig = z.output<typeof authSchema>;
export type RoutingConfig = z.output<typeof routingSchema>;
export type BudgetConfig = z.output<typeof budgetSchema>;
export type LimitConfig = z.output<typeof limitSchema>;
export type PricingConfig = z.output<typeof pricingSchema>;
export type PriceOverride = z.output<typeof priceOverrideSchema>;
export type SelfHostedCost = z.output<typeof selfHostedCostSchema>;
export type StorageConfig = z.output<typeof storageSchema>;
export type AdminConfig = z.output<typeof adminSchema>;
export type WebhookConfig = z.output<typeof webhookSchema>;
export type ServerConfig = z.output<typeof serverSchema>;
/** A secret as the config spells it: text with `${ENV}`, or where to read it. */
export type SecretReference = z.output<typeof secretSchema>;

/** JSON Schema of `fairlead.yaml`, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input" }) as Record<string, unknown>;
}
