import { z } from "zod";
import { limitMs, ms, secretSchema } from "./config-fields.ts";
import { isTimeZone } from "./time-zone.ts";

/** The parts of the config that keep answers coming: limits of a try, breakers, hedges, wake-ups, overload. */

export const attemptTimeoutFields = {
  connectMs: limitMs("Until the upstream took the connection; at most `totalMs`, and 5,000 unless given.").optional(),
  firstContentMs: limitMs(
    "Until the first content, thinking included; at most `totalMs`, and 60,000 unless given.",
  ).optional(),
  coldStartMs: limitMs(
    "In place of `firstContentMs` while a self-hosted model may have to be loaded first; at most `totalMs`, and 300,000 unless given.",
  ).optional(),
  wholeMs: limitMs(
    "Until an answer that is not streamed is complete; at most `totalMs`, and 300,000 unless given.",
  ).optional(),
};

export const routeTimeoutsSchema = z
  .strictObject({
    ...attemptTimeoutFields,
    idleMs: limitMs("Longest silence between two bytes; pings count as bytes.").optional(),
    totalMs: limitMs("The whole attempt.").optional(),
    requestMs: limitMs(
      "The whole request, over all its tries and waits, until its answer begins; none unless given.",
    ).optional(),
  })
  .describe("Limits for requests of this name, in place of the upstream's.");

export const onRefusal = z
  .enum(["answer", "fallback"])
  .describe("When a target refuses the content: `answer` tells the client, `fallback` asks the next target.");

export const afterCut = z
  .enum(["error", "continue"])
  .describe(
    "When a stream breaks off after its first content: `error` tells the client, `continue` has another target go on from there, where one can.",
  );

export const hedgeSchema = z
  .strictObject({
    maxShare: z
      .number()
      .gt(0)
      .max(1)
      .default(0.05)
      .describe("Share of requests that may start a second target; more wait for the first."),
    minDelayMs: ms(50, "Shortest wait before a second target is started, however fast the first usually is."),
    delayMs: limitMs("Fixed wait in place of the target's observed 95th percentile.").optional(),
  })
  .describe("A second target is started when the first is late; the first content wins, and both are charged.");

export const breakerSchema = z
  .strictObject({
    failures: z.number().int().min(1).default(5).describe("Failures in a row that open it."),
    failureRate: z
      .number()
      .gt(0)
      .max(1)
      .default(0.5)
      .describe("Share of failed tries within `windowMs` that opens it."),
    minTries: z.number().int().min(1).default(20).describe("Tries within `windowMs` before the share counts."),
    windowMs: limitMs("How far back the share looks.").default(30_000),
    cooldownMs: ms(60_000, "Pause before trial requests."),
    halfOpenTrials: z.number().int().min(1).default(3).describe("Trials that must succeed to close it."),
  })
  .describe("Circuit breaker of each deployment.");

export const retryBudgetSchema = z
  .strictObject({
    share: z
      .number()
      .min(0)
      .max(10)
      .default(0.2)
      .describe("Retries allowed for each first try of the last ten seconds."),
    minPerSecond: z
      .number()
      .min(0)
      .max(10_000)
      .default(3)
      .describe("Retries always allowed, however few tries there are."),
  })
  .describe("Keeps tries at the same upstream from multiplying when it is unwell. Other targets are asked regardless.");

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "a time such as `08:30`");
export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export const keepWarmSchema = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .default([...weekdays])
      .describe("Weekdays; all unless given."),
    from: clockTime.describe("When it begins."),
    to: clockTime.describe("When it ends; before `from` means the next day."),
    timeZone: z
      .string()
      .default("UTC")
      .refine(isTimeZone, "expected an IANA time zone such as `Europe/Berlin`")
      .describe("Of `from` and `to`."),
  })
  .describe("A time in which the model is woken before anybody asks, and not put to sleep.");

const wakeFields = {
  patienceMs: ms(0, "How long a request waits for the model before another target gets it."),
  patienceAloneMs: ms(120_000, "How long a request waits that no other target may serve."),
  timeoutMs: limitMs("A model that is not ready this long after its wake-up has failed.").default(900_000),
  retryMs: limitMs("Pause before the next wake-up after a failed one.").default(30_000),
  keepWarm: z.array(keepWarmSchema).max(50).default([]).describe("Times in which it is kept awake."),
};

const httpUrl = z.url({ protocol: /^https?$/, error: "expected an absolute http:// or https:// URL" });

export const wakeSchema = z
  .discriminatedUnion("type", [
    z
      .strictObject({
        type: z.literal("http").describe("A call of your own."),
        url: httpUrl.describe("Asked once for a wake-up; any 2xx is success."),
        method: z.enum(["GET", "POST", "PUT", "PATCH"]).default("POST").describe("Of the call."),
        headers: z.record(z.string(), z.string()).default({}).describe("Sent with it. Not for keys."),
        key: secretSchema.optional().describe("Sent as `Authorization: Bearer`."),
        body: z.string().optional().describe("JSON text sent with it."),
        ...wakeFields,
      })
      .describe("A call of your own."),
    z
      .strictObject({
        type: z.literal("kubernetes").describe("The cluster's API server."),
        kind: z
          .enum(["Deployment", "StatefulSet", "ScaledObject"])
          .default("Deployment")
          .describe("What is scaled. A KEDA ScaledObject is activated while it is needed (KEDA 2.18 or later)."),
        name: z.string().min(1).describe("Of the object."),
        namespace: z.string().min(1).optional().describe("Of the object; this pod's own unless given."),
        replicas: z
          .number()
          .int()
          .min(1)
          .max(1_000)
          .default(1)
          .describe("Woken to at least so many; 1 for a ScaledObject, which has a minimum of its own."),
        apiServer: httpUrl.optional().describe("The cluster's API server; this pod's own unless given."),
        tokenFile: z
          .string()
          .min(1)
          .optional()
          .describe("Bearer token, read again for each call; the service account's unless given."),
        caFile: z.string().min(1).optional().describe("Certificates to trust; the service account's unless given."),
        ...wakeFields,
      })
      .describe("Scales a workload up through the cluster's API server."),
    z
      .strictObject({
        type: z.literal("ollama").describe("Ollama's own loading."),
        keepAlive: z
          .string()
          .regex(/^-?\d+(ms|s|m|h)?$/, "a duration such as `10m`, or -1 for ever")
          .optional()
          .describe("How long Ollama keeps the model after a wake-up; its own default unless given."),
        ...wakeFields,
      })
      .describe("Has Ollama load the model."),
    z
      .strictObject({
        type: z.literal("vllm").describe("vLLM's own sleep and wake-up."),
        sleepAfterMs: limitMs("Put to sleep after so long without a request; never unless given.").optional(),
        sleepLevel: z
          .union([z.literal(1), z.literal(2)])
          .default(1)
          .describe("1 keeps weights in memory, 2 nothing."),
        ...wakeFields,
      })
      .describe("Uses vLLM's `/wake_up` and `/sleep` (a server in development mode has them)."),
  ])
  .describe("How a self-hosted model that is scaled to zero or asleep is woken.");

export const queueSchema = z
  .strictObject({
    max: z
      .number()
      .int()
      .min(0)
      .max(1_000_000)
      .default(1_000)
      .describe("Requests that may wait; more get 503 at once."),
    waitMs: limitMs("Longest wait; then 503.").default(5_000),
  })
  .describe("Where requests wait while `maxConcurrent` are running; interactive ones go first.");

export const overloadFields = {
  maxConcurrent: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(4_000)
    .describe("Requests of clients that are served at one time."),
  queue: queueSchema.prefault({}),
  maxBufferedBytes: z
    .number()
    .int()
    .min(1_048_576)
    .default(536_870_912)
    .describe("Request bodies held in memory at one time, all together; more get 503."),
  clientStallMs: limitMs("A streaming client that reads nothing for this long is let go.").default(120_000),
};

export const sharedSchema = z
  .strictObject({
    url: z
      .union([
        z.string().min(1).describe("`redis://…` or `rediss://…`, also with `${ENV}` references."),
        z.strictObject({ env: z.string().min(1).describe("Environment variable that holds the URL.") }),
        z.strictObject({ file: z.string().min(1).describe("File that holds the URL.") }),
      ])
      .optional()
      .describe("Redis or Valkey that all replicas use; nothing is shared unless given."),
    prefix: z
      .string()
      .regex(/^[A-Za-z0-9:_-]{1,64}$/, "letters, digits and : _ -")
      .default("fairlead")
      .describe("Of all keys there; one for each group of replicas."),
    replicas: z
      .number()
      .int()
      .min(1)
      .max(10_000)
      .default(1)
      .describe(
        "How many replicas there usually are: what one goes by that has not reached the store since its start.",
      ),
    timeoutMs: z
      .number()
      .int()
      .min(5)
      .max(5_000)
      .default(100)
      .describe("Longest that a request waits for it; after that this replica goes by its own part. In milliseconds."),
  })
  .describe("What several replicas share: limits, budgets, breaker hints, conversations.");

export const priorities = ["interactive", "batch"] as const;
/** Which requests go first when the gateway is full. */
export type Priority = (typeof priorities)[number];

export type WakeConfig = z.output<typeof wakeSchema>;
export type KeepWarmConfig = z.output<typeof keepWarmSchema>;
export type HedgeConfig = z.output<typeof hedgeSchema>;
export type RouteTimeouts = z.output<typeof routeTimeoutsSchema>;
export type SharedConfig = z.output<typeof sharedSchema>;
