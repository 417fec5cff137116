import { z } from "zod";
import { capabilities, engineNames, logLevels, placements, protocolNames } from "./names.ts";

/**
 * The shape of `fairlead.yaml`. Strict: an unknown key is an error. Every default that a user may rely on stands here.
 * Times are milliseconds, sizes bytes, prompt sizes estimated tokens (characters / 4).
 */

const ms = (fallback: number) => z.number().int().min(0).max(86_400_000).default(fallback);
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/,
    "a name of letters, digits and . _ : @ / - that begins with a letter or digit",
  );

/** A public name, `<upstream>/<model>`, a model id, or `@local` / `@cloud` for any deployment there. */
const targetReference = z.string().min(1);

export const authSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("none") }),
  z.strictObject({ type: z.literal("bearer"), key: z.string() }),
  z.strictObject({ type: z.literal("header"), name: z.string().min(1), key: z.string() }),
]);

export const timeoutsSchema = z.strictObject({
  /** Until the upstream took the connection. */
  connectMs: ms(5_000),
  /** Until the first content, thinking included. */
  firstContentMs: ms(60_000),
  /** Longest silence between two bytes; pings count as bytes. */
  idleMs: ms(120_000),
  /** The whole attempt. */
  totalMs: ms(600_000),
});

export const healthSchema = z.strictObject({
  /** Path below the origin of `baseUrl` (not below `/v1`). */
  path: z.string().startsWith("/"),
  intervalMs: z.number().int().min(100).max(3_600_000).optional(),
  timeoutMs: ms(2_000),
});

export const adequateSchema = z.strictObject({
  promptTokens: z.number().int().min(0).default(1_500),
  maxTokens: z.number().int().min(0).default(1_024),
});

export const deploymentSchema = z.strictObject({
  /** The id the upstream knows the model by. */
  id: z.string().min(1),
  /** More names clients may use for this deployment. */
  aliases: z.array(name).default([]),
  contextWindow: z.number().int().min(1).optional(),
  maxOutputTokens: z.number().int().min(1).optional(),
  capabilities: z.array(z.enum(capabilities)).optional(),
  /** What `auto` trusts this deployment with; only local deployments are measured by it. */
  adequate: adequateSchema.prefault({}),
});

export const upstreamSchema = z.strictObject({
  /** Fills protocol, placement, base URL, auth, health and models from a known provider or engine. */
  preset: z.string().optional(),
  placement: z.enum(placements).optional(),
  protocol: z.enum(protocolNames).optional(),
  engine: z.enum(engineNames).optional(),
  /** Absolute http(s) URL up to and including the API's version, for example `http://127.0.0.1:8000/v1`. */
  baseUrl: z.url({ protocol: /^https?$/, error: "expected an absolute http:// or https:// URL" }).optional(),
  auth: authSchema.optional(),
  /** Sent with every request to this upstream. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Proxy for this upstream only; the process's proxy variables are never used. */
  proxy: z.url().optional(),
  timeouts: timeoutsSchema.partial().prefault({}),
  /** `false` switches active probing off. */
  health: z.union([z.literal(false), healthSchema]).optional(),
  models: z.array(deploymentSchema).optional(),
});

export const routeSchema = z.strictObject({
  /** Tried in order. */
  targets: z.array(targetReference).min(1),
  /** Tried after the targets; replaces `routing.fallback` for this name. */
  fallback: z.array(targetReference).optional(),
});

export const routingSchema = z.strictObject({
  unknownModel: z.enum(["auto", "reject"]).default("auto"),
  /** Where `auto` and the cold-start fallback go when nothing says otherwise; the first that exists. */
  autoCloud: z.array(targetReference).default(["claude-sonnet-4-6", "@cloud"]),
  /** Cheap cloud with a long window, for 50,000 to 100,000 estimated tokens and more. */
  longContext: z
    .array(targetReference)
    .default(["gemini-2.5-flash", "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "@cloud"]),
  /** The chain behind every request that may leave the premises. */
  fallback: z
    .array(targetReference)
    .default(["gemini-2.5-flash", "claude-haiku-4-5-20251001", "claude-sonnet-4-6", "@cloud"]),
  /** Tries over all targets of one request, the first included. */
  maxAttempts: z.number().int().min(1).max(10).default(4),
  /** More tries at one target after an error that allows it. */
  retriesPerTarget: z.number().int().min(0).max(5).default(1),
  /** First back-off before the same target is asked again; doubles, with full jitter. */
  backoffMs: ms(200),
  /** Longest `Retry-After` that is waited for before going elsewhere. */
  maxRetryAfterMs: ms(2_000),
  breaker: z
    .strictObject({
      failures: z.number().int().min(1).default(5),
      cooldownMs: ms(60_000),
      halfOpenTrials: z.number().int().min(1).default(3),
    })
    .prefault({}),
});

export const serverSchema = z.strictObject({
  host: z.string().default("127.0.0.1"),
  port: z.number().int().min(0).max(65_535).default(8_080),
  /** Largest request body; larger ones are refused with 413. */
  maxBodyBytes: z.number().int().min(1_024).max(1_073_741_824).default(33_554_432),
  /** A request body must arrive within this time. */
  bodyTimeoutMs: ms(30_000),
  /** How long running requests may go on after SIGTERM. */
  drainTimeoutMs: ms(30_000),
  /** Comment lines sent to a waiting streaming client. */
  keepAliveMs: z.number().int().min(100).default(15_000),
  /** A streaming client gets headers and keep-alives after this long without content. */
  commitGraceMs: z.number().int().min(0).default(10_000),
});

export const clientAuthSchema = z.strictObject({
  /** The shared key clients send as `Authorization: Bearer` or `x-api-key`. */
  key: z.string().min(1).optional(),
  /** Serve anyone who can connect, also on a non-loopback address. */
  anonymous: z.boolean().default(false),
});

export const configSchema = z.strictObject({
  $schema: z.string().optional(),
  server: serverSchema.prefault({}),
  auth: clientAuthSchema.prefault({}),
  logging: z.strictObject({ level: z.enum(logLevels).default("info") }).prefault({}),
  upstreams: z.record(name, upstreamSchema).default({}),
  /** Public names with targets of their own. */
  models: z.record(name, routeSchema).default({}),
  /** Other names for models; laid over the built-in ones. The first candidate that exists is meant. */
  aliases: z.record(name, z.union([targetReference, z.array(targetReference).min(1)])).default({}),
  routing: routingSchema.prefault({}),
});

export type FairleadConfig = z.output<typeof configSchema>;
export type FairleadConfigInput = z.input<typeof configSchema>;
export type UpstreamConfig = z.output<typeof upstreamSchema>;
export type DeploymentConfig = z.output<typeof deploymentSchema>;
export type AuthConfig = z.output<typeof authSchema>;
export type RoutingConfig = z.output<typeof routingSchema>;
export type ServerConfig = z.output<typeof serverSchema>;

/** JSON Schema of `fairlead.yaml`, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input" }) as Record<string, unknown>;
}
