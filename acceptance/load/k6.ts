import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { latencyMetric, requestsMetric } from "./backend-metrics.ts";
import { loadOptions } from "./load-options.ts";
import type { LoadResult } from "./load-report.ts";
import { bunCommand, neutralEnv } from "./start-demo.ts";

const script = fileURLToPath(new URL("./router-load.ts", import.meta.url));
/** k6's exit code when a threshold broke. */
const thresholdBroke = 99;

/** Where `go install` puts programs, beside the PATH. */
function searchPath(): string {
  const go = process.env["GOPATH"] ?? join(homedir(), "go");
  return [process.env["PATH"] ?? "", join(go, "bin")].join(delimiter);
}

/** The version line of the k6 that is installed here, or undefined without one. */
export function k6Version(): string | undefined {
  const asked = spawnSync("k6", ["version"], { env: { ...process.env, PATH: searchPath() }, encoding: "utf8" });
  return asked.status === 0 ? asked.stdout.trim() : undefined;
}

/** Bundles the k6 script into one file of plain JavaScript; k6's own modules stay imports. */
export async function bundleScript(outfile: string): Promise<void> {
  const [command, ...args] = bunCommand("build", script, "--format=esm", "--target=browser");
  const externals = ["--external", "k6", "--external", "k6/*"];
  const { code, output } = await run(command, [...args, ...externals, `--outfile=${outfile}`], process.env);
  if (code !== 0) throw new Error(`the k6 script does not bundle:\n${output}`);
}

/** How k6 is to be run. */
export interface K6Run {
  readonly url: string;
  readonly scale: number;
  readonly apiKey: string | undefined;
  /** Ends k6 early; its own time limits hold otherwise. */
  readonly signal?: AbortSignal;
  readonly onOutput?: (text: string) => void;
}

/** Bundles the script and runs real k6 on it. */
export async function runK6({ url, scale, apiKey, signal, onOutput }: K6Run): Promise<LoadResult> {
  const folder = await mkdtemp(join(tmpdir(), "fairlead-k6-"));
  try {
    const bundle = join(folder, "router-load.js");
    const exported = join(folder, "summary.json");
    await bundleScript(bundle);
    const args = ["run", "--no-usage-report", "--quiet", `--summary-export=${exported}`, bundle];
    const env = { PATH: searchPath(), ROUTER_URL: url, LOAD_SCALE: String(scale), ROUTER_API_KEY: apiKey ?? "" };
    const { code, output } = await run("k6", args, neutralEnv(env), signal, onOutput);
    if (code !== 0 && code !== thresholdBroke) throw new Error(`k6 ended with ${code}:\n${output.slice(-4_000)}`);
    const result = readSummary(JSON.parse(await readFile(exported, "utf8")), { url, scale });
    return { ...result, passed: result.passed && code === 0 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A metric of k6's exported summary: figures by name, and thresholds that are true when they broke. */
type K6Metric = Readonly<Record<string, number>> & { readonly thresholds?: Readonly<Record<string, boolean>> };

function readSummary(exported: { metrics: Record<string, K6Metric> }, run: { url: string; scale: number }): LoadResult {
  const figure = (metric: string, name: string): number => exported.metrics[metric]?.[name] ?? 0;
  const names = ["http_req_duration", latencyMetric.local, latencyMetric.cloud];
  const local = figure(requestsMetric.local, "count");
  const cloud = figure(requestsMetric.cloud, "count");
  const requests = figure("http_reqs", "count");
  const counts: Record<string, number> = { [latencyMetric.local]: local, [latencyMetric.cloud]: cloud };
  const verdicts = Object.entries(loadOptions.thresholds).flatMap(([metric, thresholds]) =>
    thresholds.map((threshold) => ({
      metric,
      threshold,
      observed: metric === "http_req_failed" ? figure(metric, "value") : figure(metric, "p(95)"),
      // A threshold that k6 did not judge has not held.
      passed: exported.metrics[metric]?.thresholds?.[threshold] === false,
    })),
  );
  return {
    tool: "k6",
    ...run,
    requests,
    failedRate: figure("http_req_failed", "value"),
    counters: { [requestsMetric.local]: local, [requestsMetric.cloud]: cloud },
    localShare: local + cloud === 0 ? 0 : local / (local + cloud),
    trends: Object.fromEntries(
      names.map((name) => [
        name,
        {
          count: counts[name] ?? requests,
          avg: figure(name, "avg"),
          min: figure(name, "min"),
          med: figure(name, "med"),
          max: figure(name, "max"),
          p90: figure(name, "p(90)"),
          p95: figure(name, "p(95)"),
        },
      ]),
    ),
    verdicts,
    passed: requests > 0 && verdicts.every(({ passed }) => passed),
  };
}

function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
  onOutput?: (text: string) => void,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-64_000);
        onOutput?.(text);
      });
    }
    const end = (): void => void child.kill("SIGINT");
    signal?.addEventListener("abort", end);
    child.once("error", reject);
    child.once("close", (code) => {
      signal?.removeEventListener("abort", end);
      resolve({ code, output });
    });
  });
}
