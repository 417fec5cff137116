import { z } from "zod";
import { budgetWindowNames, capabilities, engineNames, logLevels, placements, protocolNames, roles } from "./names.ts";

/**
 * The shape of `fairlead.yaml`. Strict: an unknown key is an error. Every default that a user may rely on stands here.
 * Times are milliseconds, sizes bytes, prompt sizes estimated tokens (characters / 4). Descriptions appear in editors.
 */

const longestMs = 86_400_000;

const ms = (fallback: number, text: string) =>
  z.number().int().min(0).max(longestMs).default(fallback).describe(`${text} In milliseconds.`);

/** A limit that something must fit into: none at all would fail everything. */
const limitMs = (text: string) => z.number().int().min(1).max(longestMs).describe(`${text} In milliseconds.`);

const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/,
    "a name of letters, digits and . _ : @ / - that begins with a letter or digit",
  );

const upstreamName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name of letters, digits and . _ - that begins with a letter or digit");

/** Whether the runtime knows the time zone. */
function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}

const targetReference = z
  .string()
  .min(1)
  .describe("A public name, `<upstream>/<model>`, a model id, or `@local` / `@cloud` for every deployment there.");

/** A secret in the config: text with `${ENV}` references, or the place to read it from. Resolved at load, never kept. */
export const secretSchema = z
  .union([
    z.string().describe("`${NAME}` or `${NAME:-default}`. A literal key works, with a warning: files get committed."),
    z.strictObject({ env: z.string().min(1).describe("Name of the environment variable that holds the secret.") }),
    z.strictObject({
      file: z.string().min(1).describe("File that holds the secret, as Docker and Kubernetes mount them."),
    }),
    z.strictObject({
      store: z
        .string()
        .min(1)
        .describe("Name of a credential kept encrypted in the store (`fairlead credentials set`)."),
    }),
  ])
  .describe("A secret: text with `${ENV}`, `{ env: NAME }`, `{ file: /path }` or `{ store: name }`.");

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
export const usualTimeouts = { connectMs: 5_000, firstContentMs: 60_000, wholeMs: 300_000 } as const;

export const timeoutsSchema = z
  .strictObject({
    connectMs: limitMs("Until the upstream took the connection; at most `totalMs`, and 5,000 unless given.").optional(),
    firstContentMs: limitMs(
      "Until the first content, thinking included; at most `totalMs`, and 60,000 unless given.",
    ).optional(),
    wholeMs: limitMs(
      "Until an answer that is not streamed is complete; at most `totalMs`, and 300,000 unless given.",
    ).optional(),
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
  })
  .describe("One model on this upstream.");

const dollars = (text: string) => z.number().min(0).max(1_000_000_000).describe(`${text} In US dollars.`);

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
    models: z
      .array(deploymentSchema)
      .min(1)
      .optional()
      .describe("What this upstream serves. Cloud presets know their usual models; local servers need a list."),
  })
  .describe("A reachable endpoint.");

export const routeSchema = z
  .strictObject({
    targets: z.array(targetReference).min(1).describe("Tried in order."),
    fallback: z
      .array(targetReference)
      .optional()
      .describe("Tried after the targets; replaces `routing.fallback` for this name."),
  })
  .describe("A public name with targets of its own.");

export const routingSchema = z
  .strictObject({
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
    breaker: z
      .strictObject({
        failures: z.number().int().min(1).default(5).describe("Failures in a row that open it."),
        cooldownMs: ms(60_000, "Pause before trial requests."),
        halfOpenTrials: z.number().int().min(1).default(3).describe("Trials that must succeed to close it."),
      })
      .prefault({})
      .describe("Circuit breaker of each deployment."),
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
    bodyTimeoutMs: ms(30_000, "A request body must arrive within this time."),
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

export const storageSchema = z
  .strictObject({
    url: z
      .union([
        z.string().min(1).describe("`memory`, `sqlite:<file>` or `postgres://…`, also with `${ENV}` references."),
        z.strictObject({ env: z.string().min(1).describe("Environment variable that holds the URL.") }),
        z.strictObject({ file: z.string().min(1).describe("File that holds the URL.") }),
      ])
      .optional()
      .describe(
        "`sqlite:<file>`, `postgres://user:password@host/database` or `memory`. Unless given: SQLite in `dir`.",
      ),
    dir: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Folder for what this process must not lose: the ledger's journal, SQLite's file. `FAIRLEAD_DATA`, or `./fairlead-data`, unless given.",
      ),
    journalMaxBytes: z
      .number()
      .int()
      .min(1_048_576)
      .default(1_073_741_824)
      .describe("Largest journal of rows the database has not taken yet."),
    whenUnwritable: z
      .enum(["serve", "refuse"])
      .default("serve")
      .describe(
        "When neither journal nor database takes a row: `serve` goes on and tells the operator, `refuse` answers 503.",
      ),
    retentionDays: z
      .number()
      .int()
      .min(0)
      .max(36_500)
      .default(400)
      .describe("Ledger rows and audit entries older than this are deleted; 0 keeps them for ever."),
  })
  .describe("Where keys, budgets and the ledger are kept.");

const rate = (text: string) =>
  z.number().min(0).max(1_000_000).optional().describe(`${text} US dollars per million tokens.`);

const rates = {
  input: rate("Input, where nothing else applies."),
  output: rate("Output, reasoning included."),
  cachedRead: rate("Input read from the provider's cache."),
  cacheWrite: rate("Input written to the provider's cache for minutes."),
  longCacheWrite: rate("Input written to the provider's cache for an hour."),
  audioInput: rate("Audio in the input."),
  audioOutput: rate("Audio in the output."),
};

export const priceOverrideSchema = z
  .strictObject({
    model: z.string().min(1).describe("Model id as the upstream knows it."),
    upstream: upstreamName.optional().describe("Only on this upstream."),
    provider: z.string().min(1).optional().describe("Only at this provider (a preset's name)."),
    from: z.iso.date().optional().describe("First day it holds, in UTC; always unless given."),
    ...rates,
    perRequest: dollars("For each request, whatever its tokens.").optional(),
    tiers: z
      .array(
        z.strictObject({
          aboveInputTokens: z.number().int().min(1).describe("Holds for requests with more input tokens than this."),
          ...rates,
        }),
      )
      .default([])
      .describe("Other rates for long prompts; they hold for the whole request."),
  })
  .describe("A price of your own, laid over the price book; what it leaves out falls back as the book's does.");

export const pricingSchema = z
  .strictObject({
    reference: z
      .strictObject({
        provider: z.string().min(1).describe("A preset's name."),
        model: z.string().min(1).describe("The provider's id of the model."),
      })
      .default({ provider: "anthropic", model: "claude-sonnet-4-6" })
      .describe("The cloud model that savings are measured against: what every request would have cost there."),
    overrides: z
      .array(priceOverrideSchema)
      .default([])
      .describe("Negotiated or missing prices; the latest that holds wins."),
    reserve: z
      .enum(["predicted", "max"])
      .default("predicted")
      .describe("What a request reserves of its budgets: the output it is likely to have, or the most it can have."),
    unpriced: z
      .enum(["refuse", "allow"])
      .default("refuse")
      .describe("Cloud models without a price under a hard budget: left out, or served uncounted."),
  })
  .describe("What tokens cost.");

export const budgetScopeSchema = z
  .union([
    z.literal("total"),
    z.strictObject({ placement: z.enum(placements).describe("Everything served there.") }),
    z.strictObject({ provider: z.string().min(1).describe("Everything served by this provider (a preset's name).") }),
    z.strictObject({ upstream: z.string().min(1).describe("Everything served by this upstream.") }),
    z.strictObject({ team: z.string().min(1).describe("Everything this team asks.") }),
    z.strictObject({ key: z.string().min(1).describe("Everything asked with the key of this id or name.") }),
    z.strictObject({ tag: z.string().min(1).describe("Every request with this tag.") }),
  ])
  .describe("What a budget is about.");

export const budgetSchema = z
  .strictObject({
    scope: budgetScopeSchema,
    limitUsd: dollars("What may be spent in one window."),
    window: z
      .union([
        z.enum(budgetWindowNames).describe("Begins with the calendar's, weeks on Monday."),
        z.strictObject({ rollingHours: z.number().min(1).max(8_784).describe("The last so many hours, at any time.") }),
      ])
      .default("day")
      .describe("How long the limit holds."),
    timeZone: z
      .string()
      .default("UTC")
      .refine(isTimeZone, "expected an IANA time zone such as `Europe/Berlin`")
      .describe("Where the calendar's windows begin."),
    hard: z.boolean().default(true).describe("Whether it stops anything; a soft budget only notifies."),
    onExhausted: z
      .enum(["self_hosted", "refuse"])
      .default("self_hosted")
      .describe("At its end: keep to self-hosted models (a cloud model asked by name gets 402), or refuse with 402."),
    notifyAt: z
      .array(z.number().gt(0).max(10))
      .max(10)
      .default([0.5, 0.8, 1])
      .describe("Shares of the limit that notify the log, metrics and webhooks."),
  })
  .describe("Money that may be spent.");

export const limitSchema = z
  .strictObject({
    scope: z
      .union([
        z.strictObject({ key: z.string().min(1).describe("Id or name of a key; `*` for each key.") }),
        z.strictObject({ team: z.string().min(1).describe("Name of a team; `*` for each team.") }),
        z.strictObject({ upstream: z.string().min(1).describe("Name of an upstream; `*` for each upstream.") }),
      ])
      .describe("Whose requests are counted together."),
    requestsPerMinute: z.number().int().min(1).optional().describe("Requests in any 60 seconds."),
    tokensPerMinute: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe("Tokens in any 60 seconds, input and output together."),
    concurrency: z.number().int().min(1).optional().describe("Requests that run at one time."),
  })
  .describe("A rate limit.");

export const webhookSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: "expected an absolute http:// or https:// URL" })
      .describe("Gets a POST for each event."),
    secret: secretSchema.describe("Signs each delivery: HMAC-SHA256 over time and body."),
    events: z
      .array(z.enum(["budget", "alert"]))
      .min(1)
      .default(["budget"])
      .describe("What is sent."),
  })
  .describe("A receiver of events.");

export const adminSchema = z
  .strictObject({
    token: secretSchema
      .optional()
      .describe("A token with the owner's rights, for automation: `Authorization: Bearer`."),
    publicUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Where browsers reach this gateway; needed for OpenID sign-in behind a proxy."),
    sessionHours: z.number().min(0.1).max(720).default(12).describe("How long a sign-in lasts."),
    oidc: z
      .strictObject({
        issuer: z.url().describe("The identity provider."),
        clientId: z.string().min(1).describe("This gateway's id there."),
        clientSecret: secretSchema,
        scopes: z.array(z.string().min(1)).default(["openid", "email", "profile"]).describe("What is asked for."),
        roleClaim: z.string().default("roles").describe("Claim whose text or list names roles."),
        roles: z
          .record(z.string(), z.enum(roles))
          .default({})
          .describe("The claim's value → role here; the highest wins."),
        defaultRole: z.enum(roles).optional().describe("Role of people without one; they are refused unless given."),
      })
      .optional()
      .describe("Sign-in through OpenID Connect."),
  })
  .describe("The admin API and who may sign in.");

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
    routing: routingSchema.prefault({}),
    storage: storageSchema.prefault({}),
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
