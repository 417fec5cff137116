import { z } from "zod";
import { dollars, secretSchema, upstreamName } from "./config-fields.ts";
import { budgetWindowNames, placements, roles } from "./names.ts";
import { isTimeZone } from "./time-zone.ts";

/** The parts of the config that are about money, keeping and people. */

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
      .array(z.enum(["budget", "alert", "decision"]))
      .min(1)
      .default(["budget"])
      .describe("What is sent; `decision` is every settled exchange's, in batches."),
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
