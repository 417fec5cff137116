import type { FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { type SimulatorProcess, startSimulator } from "./simulator-process.ts";

export const localModel = "Qwen/Qwen2.5-7B-Instruct";
export const claudeModels = ["claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5-20251001"] as const;
export const openaiModel = "gpt-4o-mini";

/** Keys that must never be seen outside the upstreams they belong to. */
export const canaries = {
  anthropic: "sk-ant-canary-4f1d90b7c2",
  openai: "sk-canary-77aa0e51d3",
  local: "local-canary-c0ffee1234",
} as const;

export const canaryEnv = {
  ANTHROPIC_API_KEY: canaries.anthropic,
  OPENAI_API_KEY: canaries.openai,
  LOCAL_API_KEY: canaries.local,
} as const;

/** A gateway between a local vLLM, Anthropic and OpenAI, all simulated. */
export interface Rig {
  readonly gateway: GatewayProcess;
  readonly local: SimulatorProcess;
  readonly anthropic: SimulatorProcess;
  readonly openai: SimulatorProcess;
}

export type Upstreams = Pick<Rig, "local" | "anthropic" | "openai">;

export interface RigOptions {
  /** Laid over the usual config, section by section. */
  readonly config?: Omit<FairleadConfigInput, "upstreams">;
  /** Laid over the usual upstream of that name, or new ones. */
  readonly upstreams?: (simulators: Upstreams) => Readonly<Record<string, Partial<UpstreamConfigInput>>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly localFlags?: readonly string[];
}

export async function startSimulators(localFlags: readonly string[] = []): Promise<Upstreams> {
  const [local, anthropic, openai] = await Promise.all([
    startSimulator("--flavour", "vllm", "--model", `${localModel}@32768`, "--api-key", canaries.local, ...localFlags),
    startSimulator(
      "--flavour",
      "anthropic",
      ...claudeModels.flatMap((model) => ["--model", model]),
      "--api-key",
      canaries.anthropic,
    ),
    startSimulator("--flavour", "openai", "--model", openaiModel, "--api-key", canaries.openai),
  ]);
  return { local, anthropic, openai };
}

/** The usual upstreams; `auto` and the fallbacks prefer Anthropic, then OpenAI. */
export function usualConfig({ local, anthropic, openai }: Upstreams): FairleadConfigInput {
  return {
    upstreams: {
      vllm: {
        preset: "vllm",
        baseUrl: `${local.url}/v1`,
        auth: { type: "bearer", key: "${LOCAL_API_KEY}" },
        models: [{ id: localModel, contextWindow: 32_768 }],
      },
      anthropic: { preset: "anthropic", baseUrl: `${anthropic.url}/v1` },
      openai: { preset: "openai", baseUrl: `${openai.url}/v1`, models: [{ id: openaiModel }] },
    },
    routing: {
      autoCloud: ["claude-sonnet-4-6", "@cloud"],
      longContext: ["claude-haiku-4-5-20251001", "@cloud"],
      fallback: ["claude-haiku-4-5-20251001", openaiModel],
      backoffMs: 1,
    },
  };
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const simulators = await startSimulators(options.localFlags);
  const usual = usualConfig(simulators);
  const upstreams: Record<string, UpstreamConfigInput> = { ...usual.upstreams };
  for (const [name, change] of Object.entries(options.upstreams?.(simulators) ?? {})) {
    upstreams[name] = { ...upstreams[name], ...change };
  }
  const config: FairleadConfigInput = {
    ...usual,
    ...options.config,
    upstreams,
    routing: { ...usual.routing, ...options.config?.routing },
  };
  const gateway = await startGateway({ config, env: { ...canaryEnv, ...options.env } });
  return { gateway, ...simulators };
}
