import type { FairleadConfig } from "@fairlead/contract/config-schema";
import { configSchema } from "@fairlead/contract/config-schema";
import type { ConfigSource } from "../config/config-source.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import { adequateFromEnvironment } from "../config/zero-config.ts";
import { simulatedUpstreams } from "../upstreams/simulated-upstreams.ts";

/** Simulated upstreams of this process, and the config that has them. */
export interface Simulated {
  readonly config: FairleadConfig;
  readonly names: ReadonlySet<string>;
  /** One line each, for a person. */
  readonly findings: readonly string[];
  stop(): Promise<void>;
}

const none = async (): Promise<void> => {};

/** Starts a simulator for each placement that the config has no deployment on; without `wanted` it starts none. */
export async function addSimulated(
  config: FairleadConfig,
  source: ConfigSource,
  env: Readonly<Record<string, string | undefined>>,
  wanted: boolean,
): Promise<Simulated> {
  if (!wanted) return { config, names: new Set(), findings: [], stop: none };
  const { catalogue } = resolveCatalogue(config, { source, env, mayServeNothing: true });
  const present = new Set(catalogue.deployments.map((deployment) => deployment.upstream.placement));
  const missing = simulatedUpstreams.filter((upstream) => !present.has(upstream.placement));
  // Only the demo needs it, and only the demo shall wait for it to load.
  const { startSimulator } = await import("@fairlead/simulator/start-simulator");
  const started = await Promise.all(
    missing.map(async (spec) => ({ spec, simulator: await startSimulator(spec.simulator) })),
  );
  // A file says itself what its models are trusted with; without one the environment does.
  const adequate = source.file === undefined ? adequateFromEnvironment(env) : {};
  const upstreams = Object.fromEntries(
    started.map(({ spec, simulator }) => [
      spec.name,
      {
        preset: spec.preset,
        baseUrl: `${simulator.url}/v1`,
        auth: { type: "none" as const },
        models: spec.models?.map((model) => ({ ...model, adequate })),
        cost: spec.cost,
      },
    ]),
  );
  const added = configSchema.parse({ upstreams }).upstreams;
  return {
    config: { ...config, upstreams: { ...config.upstreams, ...added } },
    names: new Set(Object.keys(upstreams)),
    findings: started.map(({ spec }) => `simulated: ${spec.label} as \`${spec.name}\``),
    async stop() {
      await Promise.all(started.map(({ simulator }) => simulator.stop()));
    },
  };
}
