/** `npm run load`: the load test without k6, or with it (`--k6`). Ends with one line of JSON. */
import { parseArgs } from "node:util";
import { backendOf } from "./backend-metrics.ts";
import { k6Version, runK6 } from "./k6.ts";
import { durationMs, loadOptions, pauseSeconds, requestTimeoutSeconds, scaleStages } from "./load-options.ts";
import { type LoadResult, shareLine, summary } from "./load-report.ts";
import { type Exchange, Measurements } from "./measurements.ts";
import { chatBody, promptOf } from "./prompts.ts";
import { startDemo } from "./start-demo.ts";
import { runUsers } from "./virtual-users.ts";

/** The default run takes a minute; 1 is the whole five minutes. */
const usualScale = 0.2;
/** More than the whole run needs; a bound, should answers come at once and pauses not hold. */
const maxRequests = 20_000;
/** Under the usual thresholds 600 tokens of output stay local; with this one the long prompts leave, as is meant. */
const localMaxTokens = 512;

const usage = `Usage: npm run load -- [options]
  --url <url>      a running gateway (default: ROUTER_URL, or a demo that is started for the run)
  --scale <n>      length of the stages; 1 is five minutes (default: ${usualScale})
  --k6             run real k6 instead of the built-in runner
  --allow-remote   let the URL be another machine's
Environment: ROUTER_URL, ROUTER_API_KEY.`;

interface Call {
  readonly url: string | undefined;
  readonly scale: number;
  readonly k6: boolean;
}

/** A call that cannot be carried out; printed with the usage. */
class CallError extends Error {}

function readCall(argv: readonly string[]): Call | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      url: { type: "string" },
      scale: { type: "string" },
      k6: { type: "boolean", default: false },
      "allow-remote": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const scale = Number(values.scale ?? usualScale);
  if (!(scale > 0 && scale <= 10)) throw new CallError("--scale must be above 0 and at most 10");
  const url = values.url ?? (process.env["ROUTER_URL"] || undefined);
  if (url !== undefined) checkUrl(url, values["allow-remote"]);
  if (values.k6 && k6Version() === undefined) throw new CallError("k6 is not on the PATH");
  return { url: url?.replace(/\/+$/, ""), scale, k6: values.k6 };
}

function checkUrl(text: string, allowRemote: boolean): void {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new CallError(`${text} is not an http or https URL`);
  }
  const { hostname } = new URL(text);
  const isHere = hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
  if (!isHere && !allowRemote) {
    throw new CallError(
      `${hostname} is another machine: a load test costs it money and may disturb it. Say --allow-remote`,
    );
  }
}

async function ask(url: string, user: number, iteration: number): Promise<Exchange> {
  const begun = performance.now();
  const exchange = (status: number, backend?: Exchange["backend"]): Exchange => ({
    status,
    backend,
    durationMs: performance.now() - begun,
  });
  try {
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${process.env["ROUTER_API_KEY"] || "any-key"}`,
      },
      body: chatBody(promptOf(user, iteration)),
      signal: AbortSignal.timeout(requestTimeoutSeconds * 1_000),
    });
    await response.arrayBuffer();
    return exchange(response.status, backendOf(Object.fromEntries(response.headers)));
  } catch {
    return exchange(0);
  }
}

async function runHere(url: string, scale: number, signal: AbortSignal): Promise<LoadResult> {
  const { stages, thresholds } = scaleStages(loadOptions, scale);
  const measurements = new Measurements();
  const begun = performance.now();
  const limits = { maxIterations: maxRequests, pauseMs: pauseSeconds * 1_000, signal };
  await runUsers(stages, limits, async (user, iteration) => measurements.add(await ask(url, user, iteration)));
  const verdicts = measurements.judge(thresholds);
  const { requests, failedRate, counters, localShare, trends } = measurements;
  const passed = requests > 0 && verdicts.every((verdict) => verdict.passed);
  const result: LoadResult = {
    ...{ tool: "runner", url, scale, requests, failedRate, counters, localShare, trends, verdicts, passed },
  };
  console.log(summary(result, (performance.now() - begun) / 1_000, measurements.statuses));
  return result;
}

async function runWithK6(url: string, scale: number, signal: AbortSignal): Promise<LoadResult> {
  const onOutput = (text: string): void => void process.stdout.write(text);
  const result = await runK6({ url, scale, apiKey: process.env["ROUTER_API_KEY"], signal, onOutput });
  console.log(`\n${shareLine(result.localShare)}\n`);
  return result;
}

async function main(): Promise<number> {
  const call = readCall(process.argv.slice(2));
  if (call === undefined) {
    console.log(usage);
    return 0;
  }
  const { scale } = call;
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupted.abort());
  const seconds = loadOptions.stages.reduce((sum, { duration }) => sum + durationMs(duration), 0) * (scale / 1_000);
  const demo = call.url === undefined ? await startDemo({ localMaxTokens }) : undefined;
  try {
    const url = call.url ?? demo?.url ?? "";
    const which =
      demo === undefined ? "" : `, a demo whose local model is trusted with ${localMaxTokens} tokens of output`;
    console.log(
      `Load test of ${url}${which}: ${seconds.toFixed(0)} s and the last answers, by ${call.k6 ? "k6" : "the runner"}.`,
    );
    const result = await (call.k6 ? runWithK6 : runHere)(url, scale, interrupted.signal);
    console.log(JSON.stringify(result));
    return result.passed && !interrupted.signal.aborted ? 0 : 1;
  } finally {
    await demo?.stop();
  }
}

// The runtime would ask a configured proxy for this machine's own addresses too.
process.env["NO_PROXY"] = [process.env["NO_PROXY"], "127.0.0.1,localhost,::1"].filter(Boolean).join(",");
try {
  process.exitCode = await main();
} catch (error) {
  console.error(`load: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof CallError) console.error(`\n${usage}`);
  process.exitCode = error instanceof CallError ? 2 : 1;
}
