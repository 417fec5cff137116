import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { GatewayProcess } from "../setup/gateway-process.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

/** What a gateway process holds. */
export interface Footprint {
  readonly sockets: number;
  readonly memoryMb: number;
  /** `llm_router_state_entries`, by kind. */
  readonly entries: Readonly<Record<string, number>>;
}

/** Connections that are kept for the next request, and those of whoever asks for these figures. */
const spareSockets = 40;
/** Timers of background work, which come and go. */
const spareTimers = 10;
/** What a process grows by while it warms up, however little is asked of it. */
const spareMemoryMb = 150;

export async function footprint({ url, child }: GatewayProcess): Promise<Footprint> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const entries: Record<string, number> = {};
  for (const [, kind = "", size] of text.matchAll(/^llm_router_state_entries\{kind="([^"]+)"\} (\S+)/gm)) {
    entries[kind] = Number(size);
  }
  return { sockets: socketsOf(child.pid), memoryMb: memoryMb(child.pid), entries };
}

/** Expects that a gateway that nobody asks anything holds what it held at the start. */
export async function expectNoLeak(stage: Stage, gateway: GatewayProcess, start: Footprint): Promise<void> {
  let now = start;
  const isClean = async (): Promise<boolean> => {
    now = await footprint(gateway);
    const timers = (now.entries["timers"] ?? 0) - (start.entries["timers"] ?? 0);
    return now.entries["exchanges"] === 0 && timers <= spareTimers && now.sockets <= start.sockets + spareSockets;
  };
  const clean = await until("the start's footprint", isClean).then(
    () => true,
    () => false,
  );
  stage.expect(clean, `a leak: ${JSON.stringify(now)} after ${JSON.stringify(start)}`);
  stage.expect(
    now.memoryMb <= start.memoryMb + spareMemoryMb,
    `memory grew from ${start.memoryMb.toFixed(0)} MB to ${now.memoryMb.toFixed(0)} MB`,
  );
}

function socketsOf(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith("socket:");
    } catch {
      // Closed meanwhile.
      return false;
    }
  }).length;
}

function memoryMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}
