import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { GetFetch } from "../upstreams/bounded-get.ts";
import type { CommandResult } from "./config-check.ts";
import { checkUpstream, type UpstreamReport } from "./upstream-checkup.ts";

export interface DoctorOptions {
  readonly resolved: Pick<ResolvedConfig, "upstreams" | "catalogue" | "warnings">;
  readonly fetch?: GetFetch;
  readonly json?: boolean;
  /** Longest wait for one upstream. */
  readonly timeoutMs?: number;
}

const usualTimeoutMs = 5_000;

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function rowOf(report: UpstreamReport): readonly string[] {
  const { configured, missing } = report.models;
  const found =
    report.reachable && report.key !== "refused" ? `${configured - missing.length}/${configured}` : `?/${configured}`;
  const latency = report.latencyMs === undefined ? "-" : `${report.latencyMs} ms`;
  const sign = report.ok ? "ok" : "problem";
  return [report.name, report.placement, sign, report.reachable ? "yes" : "no", report.key, found, latency];
}

function render(reports: readonly UpstreamReport[], warnings: readonly string[]): string {
  const heading = ["UPSTREAM", "PLACEMENT", "STATE", "REACHABLE", "KEY", "MODELS", "LATENCY"];
  const advice = reports.flatMap((report) =>
    report.advice.map((line) => `${report.name} (${report.baseUrl}): ${line}`),
  );
  const blocks = [table([heading, ...reports.map(rowOf)])];
  if (advice.length > 0) blocks.push(advice.join("\n"));
  if (warnings.length > 0) blocks.push(warnings.map((warning) => `warning: ${warning}`).join("\n"));
  const bad = reports.filter((report) => !report.ok).length;
  blocks.push(bad === 0 ? "All upstreams are fine." : `${bad} of ${reports.length} upstreams need attention.`);
  return blocks.join("\n\n");
}

/** Asks every upstream at once whether it is there, takes the key and serves what is configured. Exit code 0 or 1. */
export async function runDoctor({ resolved, fetch, json = false, timeoutMs }: DoctorOptions): Promise<CommandResult> {
  const { upstreams, catalogue, warnings } = resolved;
  if (upstreams.length === 0) {
    const output = "No upstream: set a provider's key or VLLM_BASE_URL, start a local server, or write a config file.";
    return {
      exitCode: 1,
      output: json ? JSON.stringify({ ok: false, upstreams: [], warnings, advice: output }, null, 2) : output,
    };
  }
  const get: GetFetch = fetch ?? ((url, init) => globalThis.fetch(url, init));
  const reports = await Promise.all(
    upstreams.map((upstream) => {
      const deployments = catalogue.deployments.filter((deployment) => deployment.upstream === upstream);
      return checkUpstream(upstream, deployments, get, timeoutMs ?? usualTimeoutMs);
    }),
  );
  const ok = reports.every((report) => report.ok);
  const output = json ? JSON.stringify({ ok, upstreams: reports, warnings }, null, 2) : render(reports, warnings);
  return { exitCode: ok ? 0 : 1, output };
}
