import { readFileSync } from "node:fs";
import {
  type FairleadConfig,
  type PricingConfig,
  type RoutingConfig,
  routingSchema,
  type ServerConfig,
} from "@fairlead/contract/config-schema";
import { type LogLevel, logLevels } from "@fairlead/contract/names";
import type { Budget, RateLimit } from "../core/budget.ts";
import type { Deployment, Upstream } from "../core/deployment.ts";
import type { AttemptLimits, BreakerLimits, Catalogue } from "../core/gateway-model.ts";
import { nearNames } from "../lib/near-names.ts";
import type { Secret } from "../lib/secret.ts";
import { checkBind } from "./check-bind.ts";
import { ConfigError } from "./config-error.ts";
import { type ConfigSource, noSource, placeFaults } from "./config-source.ts";
import { DeploymentIndex } from "./deployment-index.ts";
import type { StoredSecrets } from "./fetch-stored-secrets.ts";
import type { Env } from "./interpolate.ts";
import type { Resolution } from "./resolution.ts";
import { type AdminSettings, resolveAdmin, resolveWebhooks, type Webhook } from "./resolve-admin.ts";
import { resolveBudgets, resolveLimits } from "./resolve-budgets.ts";
import { NameResolver } from "./resolve-names.ts";
import { resolveRoutingPolicy } from "./resolve-routing-policy.ts";
import { resolveSecret } from "./resolve-secret.ts";
import { resolveShared, type SharedSettings } from "./resolve-shared.ts";
import { checkSharedSecret, resolveStorage, type StorageSettings, storageDir } from "./resolve-storage.ts";
import { resolveUpstream } from "./resolve-upstream.ts";

/** Who may ask for models. */
export interface ClientAuth {
  /** The one key everyone may share. */
  readonly key: Secret | undefined;
  readonly anonymous: boolean;
  readonly required: boolean;
  /** Keys hashes and stored credentials; undefined for one that this machine makes. */
  readonly secret: Secret | undefined;
  readonly jwt: FairleadConfig["auth"]["jwt"];
}

/** Everything a gateway is built from: all names resolved, all secrets fetched and wrapped. Immutable. */
export interface ResolvedConfig {
  readonly server: ServerConfig;
  readonly auth: ClientAuth;
  readonly storage: StorageSettings;
  /** Undefined when this is the only replica. */
  readonly shared: SharedSettings | undefined;
  readonly pricing: PricingConfig;
  readonly budgets: readonly Budget[];
  readonly limits: readonly RateLimit[];
  readonly webhooks: readonly Webhook[];
  readonly admin: AdminSettings;
  readonly logging: { readonly level: LogLevel };
  readonly upstreams: readonly Upstream[];
  readonly catalogue: Catalogue;
  readonly attemptLimits: AttemptLimits;
  readonly breakerLimits: BreakerLimits;
  readonly keptDecisions: number;
  readonly warnings: readonly string[];
}

export interface ResolveOptions {
  readonly source?: ConfigSource;
  readonly env?: Env;
  readonly readFile?: (path: string) => string;
  /** Data folders that are in use whatever the config says; its own is always among them. */
  readonly ownDirs?: readonly string[];
  /** Credentials of the store that the config refers to, from `fetchStoredSecrets`. */
  readonly stored?: StoredSecrets;
  /** What becomes of an upstream whose stored credential is not among them; `fault` unless given. */
  readonly withoutStored?: "fault" | "left-out";
  /** Names of upstreams that this process started itself, for the demo. */
  readonly simulated?: ReadonlySet<string>;
  /** Names of upstreams whose models nobody named: they will be asked. */
  readonly assumed?: ReadonlySet<string>;
  /** Accepts a file without upstreams: others are added to it later. */
  readonly mayServeNothing?: boolean;
}

const routingDefaults = routingSchema.parse({});

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}

/** The built-in chains name models that need not be there; what a config names must be. */
function resolveChain(key: "autoCloud" | "longContext" | "fallback", routing: RoutingConfig, names: NameResolver) {
  return names.chain(routing[key], ["routing", key], sameList(routing[key], routingDefaults[key]));
}

function checkAutoCloud(autoCloud: readonly Deployment[], resolution: Resolution): void {
  const stray = autoCloud.find((deployment) => deployment.upstream.placement !== "cloud");
  if (stray === undefined) return;
  resolution.faults.push({
    at: ["routing", "autoCloud"],
    what: `leads to ${stray.id}, which is local`,
    expected: "cloud targets",
  });
}

function resolveLevel(configured: LogLevel, resolution: Resolution): LogLevel {
  const wanted = resolution.env["LOG_LEVEL"]?.trim().toLowerCase();
  if (wanted === undefined || wanted === "") return configured;
  const level = logLevels.find((name) => name === wanted);
  if (level !== undefined) return level;
  const suggestion = nearNames(wanted, logLevels)[0];
  const what = `the environment variable LOG_LEVEL is ${JSON.stringify(wanted.slice(0, 40))}`;
  resolution.faults.push({ at: ["logging", "level"], what, expected: `one of ${logLevels.join(", ")}`, suggestion });
  return configured;
}

const leastSecretLength = 32;

function resolveClientAuth(config: FairleadConfig, resolution: Resolution): ClientAuth {
  const { key: reference, anonymous, required, jwt } = config.auth;
  const key = reference === undefined ? undefined : resolveSecret(reference, ["auth", "key"], resolution);
  const at = ["auth", "secret"];
  const secret = config.auth.secret === undefined ? undefined : resolveSecret(config.auth.secret, at, resolution);
  if (secret !== undefined && secret.reveal().length < leastSecretLength) {
    const expected = `at least ${leastSecretLength} characters, for example from \`openssl rand -hex 32\``;
    resolution.faults.push({ at, what: "is too short to be safe", expected });
  }
  const hasKey = reference !== undefined || required || jwt.length > 0;
  const refusal = checkBind({ host: config.server.host, hasKey, anonymous });
  if (refusal !== undefined) resolution.faults.push(refusal);
  if (anonymous && required) {
    const what = "contradicts `auth.anonymous: true`";
    resolution.faults.push({ at: ["auth", "required"], what, expected: "one of the two" });
  }
  return { key, anonymous, required, secret, jwt };
}

/**
 * Resolves a valid config into what the gateway runs on: presets filled in, secrets fetched, names and chains turned into
 * deployments. The environment's LOG_LEVEL overrides the config's.
 * @throws ConfigError with every problem at once
 */
export function resolveCatalogue(config: FairleadConfig, options: ResolveOptions = {}): ResolvedConfig {
  const resolution: Resolution = {
    source: options.source ?? noSource,
    env: options.env ?? process.env,
    readFile: options.readFile ?? ((path) => readFileSync(path, "utf8")),
    ownDirs: [storageDir(config.storage, options.env ?? process.env), ...(options.ownDirs ?? [])],
    ...(options.stored && { stored: options.stored }),
    withoutStored: options.withoutStored ?? "fault",
    simulated: options.simulated ?? new Set(),
    assumed: options.assumed ?? new Set(),
    faults: [],
    warnings: [],
  };
  const auth = resolveClientAuth(config, resolution);
  const level = resolveLevel(config.logging.level, resolution);
  const entries = Object.entries(config.upstreams);
  // Without a file there may be nothing yet: the gateway then says so to every request.
  if (entries.length === 0 && resolution.source.file !== undefined && options.mayServeNothing !== true) {
    const expected = "at least one upstream, so that requests have somewhere to go";
    resolution.faults.push({ at: ["upstreams"], what: "is empty", expected, aboutKey: true });
  }
  const upstreams = entries.flatMap(([name, upstream]) => resolveUpstream(name, upstream, resolution) ?? []);
  const index = new DeploymentIndex(upstreams);
  // A reference to an upstream that could not be made is no mistake of its own.
  const complete = upstreams.length === entries.length;
  const notes = complete ? resolution : { ...resolution, faults: [], warnings: [] };
  const names = new NameResolver(config, index, notes);
  const catalogue: Catalogue = {
    deployments: index.all,
    names: names.all(),
    autoCloud: resolveChain("autoCloud", config.routing, names),
    longContext: resolveChain("longContext", config.routing, names),
    fallback: resolveChain("fallback", config.routing, names),
    unknownModel: config.routing.unknownModel,
    ...resolveRoutingPolicy(config, names, index, notes),
  };
  checkAutoCloud(catalogue.autoCloud, notes);
  const storage = resolveStorage(config.storage, resolution);
  checkSharedSecret(storage, config.auth.secret !== undefined, resolution);
  const shared = resolveShared(config.shared, resolution);
  const budgets = resolveBudgets(config, new Set(upstreams.map(({ upstream }) => upstream.provider)), resolution);
  const limits = resolveLimits(config, resolution);
  const webhooks = resolveWebhooks(config, resolution);
  const admin = resolveAdmin(config.admin, resolution);
  if (resolution.faults.length > 0) {
    throw new ConfigError(resolution.source.file, placeFaults(resolution.source, resolution.faults));
  }
  const { maxAttempts, retriesPerTarget, backoffMs, maxRetryAfterMs, breaker } = config.routing;
  const { retryBudget, hedge, onRefusal, afterCut } = config.routing;
  return {
    server: config.server,
    auth,
    storage,
    shared,
    pricing: config.pricing,
    budgets,
    limits,
    webhooks,
    admin,
    logging: { level },
    upstreams: upstreams.map(({ upstream }) => upstream),
    catalogue,
    attemptLimits: {
      maxAttempts,
      retriesPerTarget,
      backoffMs,
      maxRetryAfterMs,
      retryBudget,
      hedge: hedge === false ? undefined : hedge,
      onRefusal,
      afterCut,
    },
    breakerLimits: breaker,
    keptDecisions: config.routing.decisions.keep,
    warnings: resolution.warnings,
  };
}
