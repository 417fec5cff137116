import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { type Child, type ChildOptions, type Ending, startBun } from "./child-process.ts";
import { tempDir, tempFile } from "./temp-dir.ts";

export const gatewayProgram = "packages/gateway/src/main.ts";

/** A gateway in a process of its own. */
export interface GatewayProcess {
  readonly url: string;
  readonly child: Child;
  stop(): Promise<Ending>;
}

export interface GatewayOptions {
  /** An object, or the text of a YAML file; without one the gateway configures itself. */
  readonly config?: FairleadConfigInput | string;
  readonly command?: "serve" | "demo";
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** The command line of a gateway on a free port. JSON is YAML too. */
export function gatewayArgs({ config, command = "serve", args = [] }: GatewayOptions): string[] {
  const text = typeof config === "object" ? JSON.stringify(config, null, 2) : config;
  const file = text === undefined ? [] : ["--config", tempFile("fairlead.yaml", text)];
  return [command, "--json", "--port", "0", ...file, ...args];
}

export function spawnGateway(options: GatewayOptions): Child {
  // A directory of its own, so that no fairlead.yaml of the repository is picked up.
  const place: ChildOptions = { env: options.env ?? {}, cwd: tempDir() };
  return startBun(gatewayProgram, gatewayArgs(options), place);
}

/** Starts a gateway and resolves when it listens. */
export async function startGateway(options: GatewayOptions): Promise<GatewayProcess> {
  const child = spawnGateway(options);
  const { url } = await child.record((record) => record["event"] === "listening", "the gateway's address");
  if (typeof url !== "string") throw new Error(child.transcript);
  return { url, child, stop: () => child.stop() };
}
