import type { UpstreamConfigInput } from "@fairlead/contract/config-schema";
import type { Placement } from "@fairlead/contract/names";

/** A stand-in that the demo starts where nothing real was found. */
export interface SimulatedUpstream {
  readonly name: string;
  readonly label: string;
  readonly placement: Placement;
  readonly preset: string;
  readonly simulator: {
    readonly flavour: "vllm" | "anthropic" | "openai";
    readonly models: { id: string; contextWindow?: number }[];
    readonly tokensPerSecond: number;
    readonly firstTokenMs: number;
  };
  readonly models?: UpstreamConfigInput["models"];
  readonly cost?: UpstreamConfigInput["cost"];
}

const qwen = { id: "Qwen/Qwen2.5-7B-Instruct", contextWindow: 32_768 };

/** Speeds are those of a small model on one GPU and of a cloud API, so that the demo feels like the real thing. */
export const simulatedUpstreams: readonly SimulatedUpstream[] = [
  {
    name: "vllm",
    label: "a vLLM server with Qwen2.5-7B",
    placement: "local",
    preset: "vllm",
    simulator: { flavour: "vllm", models: [qwen], tokensPerSecond: 80, firstTokenMs: 40 },
    models: [qwen],
    // One small GPU by the hour, and what it serves when well used.
    cost: { perHour: 0.8, tokensPerHour: 2_000_000 },
  },
  {
    name: "anthropic",
    label: "Anthropic's API with its Claude models",
    placement: "cloud",
    preset: "anthropic",
    simulator: {
      flavour: "anthropic",
      models: [{ id: "claude-opus-4-8" }, { id: "claude-sonnet-4-6" }, { id: "claude-haiku-4-5-20251001" }],
      tokensPerSecond: 120,
      firstTokenMs: 150,
    },
  },
];
