import type { FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { operator } from "./admin.ts";
import { type ChatBody, postChat } from "./clients.ts";
import { type GatewayProcess, startGateway } from "./gateway-process.ts";
import { canaries, canaryEnv, claudeModels, localModel, openaiModel } from "./rig.ts";
import { type SimulatorProcess, startSimulator } from "./simulator-process.ts";
import { tempDir } from "./temp-dir.ts";

export const coderModel = "qwen2.5-coder-7b";
export const geminiModels = ["gemini-2.5-flash", "gemini-1.5-pro"] as const;

/** Deployments of the usual hybrid config, as decisions and headers call them. */
export const on = {
  small: `vllm/${localModel}`,
  coder: `coder/${coderModel}`,
  opus: `anthropic/${claudeModels[0]}`,
  sonnet: `anthropic/${claudeModels[1]}`,
  haiku: `anthropic/${claudeModels[2]}`,
  mini: `openai/${openaiModel}`,
  flash: `gemini/${geminiModels[0]}`,
  pro: `gemini/${geminiModels[1]}`,
} as const;

/** Simulators by the name of the upstream that they stand for. */
export type HybridUpstream = "vllm" | "coder" | "anthropic" | "openai" | "gemini";
export type HybridSimulators = Readonly<Record<HybridUpstream, SimulatorProcess>>;

const geminiKey = "gemini-canary-5b1c99";

/** A local 7B, a local code model, cheap and premium cloud. */
export async function startHybridSimulators(): Promise<HybridSimulators> {
  const models = (ids: readonly string[]) => ids.flatMap((id) => ["--model", id]);
  const [vllm, coder, anthropic, openai, gemini] = await Promise.all([
    startSimulator("--flavour", "vllm", ...models([`${localModel}@32768`]), "--api-key", canaries.local),
    startSimulator("--flavour", "vllm", ...models([`${coderModel}@32768`]), "--api-key", canaries.local),
    startSimulator("--flavour", "anthropic", ...models(claudeModels), "--api-key", canaries.anthropic),
    startSimulator("--flavour", "openai", ...models([openaiModel]), "--api-key", canaries.openai),
    startSimulator(
      "--flavour",
      "openai",
      ...models([`${geminiModels[0]}@1048576`, `${geminiModels[1]}@2097152`]),
      "--api-key",
      geminiKey,
    ),
  ]);
  return { vllm, coder, anthropic, openai, gemini };
}

/** Upstreams of the hybrid config; routing stands at its defaults, so that what ships is what is tested. */
export function hybridUpstreams(simulators: HybridSimulators): Record<HybridUpstream, UpstreamConfigInput> {
  const key = { type: "bearer", key: "${LOCAL_API_KEY}" } as const;
  const base = (name: HybridUpstream) => `${simulators[name].url}/v1`;
  return {
    vllm: {
      preset: "vllm",
      baseUrl: base("vllm"),
      auth: key,
      models: [{ id: localModel, contextWindow: 32_768 }],
    },
    coder: {
      preset: "vllm",
      baseUrl: base("coder"),
      auth: key,
      models: [{ id: coderModel, contextWindow: 32_768 }],
    },
    anthropic: { preset: "anthropic", baseUrl: base("anthropic") },
    openai: { preset: "openai", baseUrl: base("openai"), models: [{ id: openaiModel }] },
    gemini: { preset: "gemini", baseUrl: base("gemini"), models: geminiModels.map((id) => ({ id })) },
  };
}

export interface Served {
  readonly status: number;
  readonly backend: string | null;
  readonly target: string | null;
  readonly reason: string | null;
  readonly fallback: string | null;
  readonly id: string;
  readonly text: string;
}

/** A gateway with the means to ask it and to see what reached the simulators. */
export interface Hybrid {
  readonly gateway: GatewayProcess;
  readonly url: string;
  readonly dir: string;
  readonly call: ReturnType<typeof operator>;
  /** Sends a chat request and reads the answer to its end. */
  ask(body: ChatBody, headers?: Readonly<Record<string, string>>): Promise<Served>;
}

export interface HybridOptions extends Omit<FairleadConfigInput, "upstreams"> {
  /** Laid over the usual upstream of that name, or new ones. */
  readonly upstreams?: Readonly<Record<string, Partial<UpstreamConfigInput>>>;
  /** Of the usual ones, only these. */
  readonly only?: readonly HybridUpstream[];
  readonly env?: Readonly<Record<string, string>>;
}

export function hybridConfig(simulators: HybridSimulators, options: HybridOptions = {}): FairleadConfigInput {
  const { upstreams: changes = {}, only, env: _, ...sections } = options;
  const upstreams: Record<string, UpstreamConfigInput> = { ...hybridUpstreams(simulators) };
  for (const name of Object.keys(upstreams)) {
    if (only !== undefined && !only.includes(name as HybridUpstream)) delete upstreams[name];
  }
  for (const [name, change] of Object.entries(changes)) upstreams[name] = { ...upstreams[name], ...change };
  return {
    ...sections,
    upstreams,
    storage: { dir: tempDir(), ...sections.storage },
    routing: { backoffMs: 1, retriesPerTarget: 0, breaker: { failures: 1_000 }, ...sections.routing },
  };
}

export async function startHybrid(simulators: HybridSimulators, options: HybridOptions = {}): Promise<Hybrid> {
  const config = hybridConfig(simulators, options);
  const gateway = await startGateway({ config, env: { ...canaryEnv, GEMINI_API_KEY: geminiKey, ...options.env } });
  const { url } = gateway;
  const dir = config.storage?.dir ?? "";
  return {
    gateway,
    url,
    dir,
    call: operator(gateway, dir),
    ask: (body, headers) => askAt(url, body, headers),
  };
}

export const hybridEnv = { ...canaryEnv, GEMINI_API_KEY: geminiKey } as const;

export async function askAt(
  url: string,
  body: ChatBody,
  headers: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const response = await postChat(url, body, headers);
  const get = (name: string) => response.headers.get(name);
  return {
    status: response.status,
    backend: get("x-router-backend"),
    target: get("x-router-target"),
    reason: get("x-router-reason"),
    fallback: get("x-router-fallback"),
    id: get("x-router-decision-id") ?? "",
    text: await response.text(),
  };
}

/** What was asked to generate since the last reset, as `<upstream>/<model>`; sorted. */
export async function reached(simulators: Partial<HybridSimulators>): Promise<string[]> {
  const each = Object.entries(simulators).map(async ([name, simulator]) =>
    (await simulator.generations()).map(({ model }) => `${name}/${model}`),
  );
  return (await Promise.all(each)).flat().sort();
}

export async function resetHybrid(simulators: Partial<HybridSimulators>): Promise<void> {
  await Promise.all(Object.values(simulators).map((simulator) => simulator.reset()));
}

export const cloudOf = ({ anthropic, openai, gemini }: HybridSimulators) => ({ anthropic, openai, gemini });
export const localOf = ({ vllm, coder }: HybridSimulators) => ({ vllm, coder });
