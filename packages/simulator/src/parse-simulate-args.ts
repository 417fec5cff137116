import { parseArgs } from "node:util";
import { FLAVOURS, type FlavourName, type ModelSpec } from "./flavour.ts";
import type { SimulatorOptions } from "./start-simulator.ts";

/** How to call the simulator from a shell. */
export const SIMULATE_USAGE = `Usage: simulate [options]
  --flavour vllm|llamacpp|ollama|openai|anthropic   (default vllm)
  --model <id>[@<window>]    may be given more than once
  --port <n>  --host <address>                      (default: a free port on 127.0.0.1)
  --api-key <key>
  --tokens-per-second <n>  --first-token-ms <n>  --slots <n>  --cold-start-ms <n>
  --fault <spec>             a fault for every generation; may be given more than once`;

/**
 * Reads command line options.
 * @throws Error with a sentence for the user
 */
export function parseSimulateArgs(argv: readonly string[]): SimulatorOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      flavour: { type: "string", default: "vllm" },
      model: { type: "string", multiple: true, default: ["Qwen/Qwen2.5-7B-Instruct"] },
      port: { type: "string", default: "0" },
      host: { type: "string", default: "127.0.0.1" },
      "api-key": { type: "string" },
      "tokens-per-second": { type: "string" },
      "first-token-ms": { type: "string" },
      slots: { type: "string" },
      "cold-start-ms": { type: "string" },
      fault: { type: "string", multiple: true, default: [] },
    },
  });
  const flavour = FLAVOURS.find((name) => name === values.flavour);
  if (flavour === undefined) throw new Error(`--flavour must be one of ${FLAVOURS.join(", ")}`);
  const key = values["api-key"];
  return {
    flavour: flavour satisfies FlavourName,
    models: values.model.map(readModel),
    port: numberOf("--port", values.port) ?? 0,
    host: values.host,
    faults: values.fault.map((spec) => ({ spec })),
    ...(key === undefined ? {} : { apiKey: key }),
    ...optional("tokensPerSecond", numberOf("--tokens-per-second", values["tokens-per-second"])),
    ...optional("firstTokenMs", numberOf("--first-token-ms", values["first-token-ms"])),
    ...optional("slots", numberOf("--slots", values.slots)),
    ...optional("coldStartMs", numberOf("--cold-start-ms", values["cold-start-ms"])),
  };
}

function readModel(text: string): ModelSpec {
  const window = /^(.+)@(\d+)$/.exec(text);
  return window?.[1] === undefined ? { id: text } : { id: window[1], contextWindow: Number(window[2]) };
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === "" || !(value >= 0)) throw new Error(`${option} must be a number, got "${text}"`);
  return value;
}

function optional<K extends string>(key: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: number });
}
