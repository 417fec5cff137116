import { readFileSync } from "node:fs";
import type { Contestant, Scenario } from "./contestants.ts";

/** Clock ticks a second of `/proc/<pid>/stat`; 100 on every Linux that matters here. */
const ticksPerSecond = 100;

/** What one round showed. Times in milliseconds, CPU in microseconds a request. */
export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly latencies: number[];
  readonly failures: number;
}

/** User and system time of a process so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** The most memory a process ever held, in megabytes. */
export function peakMegabytes(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(line ?? 0) / 1024;
}

/** Sends `requests` requests, `clients` at a time, each read to its end; counts CPU of the contestant alone. */
export async function load(
  contestant: Contestant,
  scenario: Scenario,
  requests: number,
  clients: number,
): Promise<Measured | undefined> {
  const request = contestant.request(scenario);
  if (request === undefined) return undefined;
  const { url, headers, body } = request;
  const latencies: number[] = [];
  let failures = 0;
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < requests) {
      sent++;
      const startedMs = performance.now();
      const response = await fetch(url, { method: "POST", headers, body });
      const text = await response.text();
      if (!response.ok || (scenario !== "json" && !text.includes("word49"))) failures++;
      latencies.push(performance.now() - startedMs);
    }
  };
  const pid = contestant.pidOf?.(scenario) ?? contestant.pid;
  const startedCpu = cpuSeconds(pid);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: clients }, client));
  return {
    requests,
    seconds: (performance.now() - startedMs) / 1000,
    cpuSeconds: cpuSeconds(pid) - startedCpu,
    latencies,
    failures,
  };
}

/** Adds rounds of the same contestant and scenario up. */
export function sum(rounds: readonly Measured[]): Measured {
  return {
    requests: rounds.reduce((total, round) => total + round.requests, 0),
    seconds: rounds.reduce((total, round) => total + round.seconds, 0),
    cpuSeconds: rounds.reduce((total, round) => total + round.cpuSeconds, 0),
    latencies: rounds.flatMap((round) => round.latencies),
    failures: rounds.reduce((total, round) => total + round.failures, 0),
  };
}

export const cpuMicroseconds = ({ cpuSeconds, requests }: Measured): number => (cpuSeconds / requests) * 1e6;

export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? Number.NaN;
}
