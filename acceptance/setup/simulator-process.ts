import { type ControlClient, controlClient } from "@fairlead/simulator/control-client";
import { type Child, type Ending, startBun } from "./child-process.ts";

/** A simulated upstream in a process of its own, and the means to steer it. */
export interface SimulatorProcess extends ControlClient {
  readonly url: string;
  readonly port: number;
  readonly child: Child;
  /** Hits on generation routes only: probes are left out. */
  generations(): Promise<Awaited<ReturnType<ControlClient["hits"]>>>;
  stop(): Promise<Ending>;
}

/** Starts `packages/simulator` with the given flags, for example `--flavour`, `vllm`. */
export async function startSimulator(...flags: string[]): Promise<SimulatorProcess> {
  const child = startBun("packages/simulator/src/main.ts", flags);
  const { url, port } = await child.record((record) => typeof record["url"] === "string", "the simulator's address");
  if (typeof url !== "string" || typeof port !== "number") throw new Error(child.transcript);
  const control = controlClient(url);
  return {
    ...control,
    url,
    port,
    child,
    generations: async () => (await control.hits()).filter((hit) => hit.method === "POST"),
    stop: () => child.stop(),
  };
}
