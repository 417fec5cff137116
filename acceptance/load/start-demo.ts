import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Root of the repository. */
export const repository = fileURLToPath(new URL("../..", import.meta.url));
const launcher = join(repository, "scripts/bun.mjs");
const gatewayProgram = join(repository, "packages/gateway/src/main.ts");
const startDeadlineMs = 15_000;
const killAfterMs = 15_000;

/** Keys and settings of the person who runs it must not change what the demo is. */
const foreign = /_API_KEY$|_PROXY$|^VLLM_|^LOCAL_|^LOG_LEVEL$|^FAIRLEAD_(?!BUN$)|^ROUTER_URL$|^LOAD_|^NODE_OPTIONS$/i;

/** A gateway on a free port of this machine, with simulated upstreams behind it. */
export interface Demo {
  readonly url: string;
  /** Stops everything it started and resolves with the gateway's exit code. */
  stop(): Promise<number | NodeJS.Signals | null>;
}

/** How a demo differs from the usual one. */
export interface DemoOptions {
  /** Largest requested output that `auto` trusts the local model with. */
  readonly localMaxTokens?: number;
}

interface Running {
  readonly url: string;
  stop(): Promise<number | NodeJS.Signals | null>;
}

/** The command that runs Bun: this process's own binary, or the launcher that finds one. */
export function bunCommand(...args: string[]): [string, ...string[]] {
  return process.versions["bun"] === undefined ? [process.execPath, launcher, ...args] : [process.execPath, ...args];
}

/** The environment without what belongs to the person who runs it. */
export function neutralEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))), ...extra };
}

const model = "Qwen/Qwen2.5-7B-Instruct";
const contextWindow = 32_768;

/** The demo's own speeds, for a local simulator that stands outside of it. */
const simulateArgs = [
  ...["simulate", "--flavour", "vllm", "--port", "0", "--model", `${model}@${contextWindow}`],
  ...["--tokens-per-second", "80", "--first-token-ms", "40"],
];

function configOf(localUrl: string | undefined, localMaxTokens: number | undefined): object {
  if (localUrl === undefined) return { upstreams: {} };
  const adequate = { maxTokens: localMaxTokens };
  const vllm = { preset: "vllm", baseUrl: `${localUrl}/v1`, models: [{ id: model, contextWindow, adequate }] };
  return { upstreams: { vllm } };
}

/**
 * Starts the demo from a config file of its own, so that servers and keys found on this machine play no part. With
 * `localMaxTokens` the local model is a simulator in a process of its own, configured with that adequacy.
 */
export async function startDemo({ localMaxTokens }: DemoOptions = {}): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), "fairlead-load-"));
  const started: Running[] = [];
  const stop = async (): Promise<number | NodeJS.Signals | null> => {
    let ending: number | NodeJS.Signals | null = null;
    for (const running of started.toReversed()) {
      const code = await running.stop();
      if (running === started.at(-1)) ending = code;
    }
    await rm(folder, { recursive: true, force: true });
    return ending;
  };
  try {
    if (localMaxTokens !== undefined) started.push(await start(simulateArgs, folder));
    const config = join(folder, "fairlead.yaml");
    // JSON is YAML too.
    await writeFile(config, JSON.stringify(configOf(started[0]?.url, localMaxTokens)));
    const gateway = await start(["demo", "--port", "0", "--json", "--config", config], folder);
    started.push(gateway);
    return { url: gateway.url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts the gateway's program and waits for the JSON line that tells its address. What it keeps goes with the folder. */
async function start(args: readonly string[], folder: string): Promise<Running> {
  const [command, ...rest] = bunCommand(gatewayProgram, ...args);
  const env = neutralEnv({ FAIRLEAD_DATA: join(folder, "data") });
  const child = spawn(command, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const stop = async (): Promise<number | NodeJS.Signals | null> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
    const ending = await ended;
    clearTimeout(timer);
    return ending;
  };
  try {
    return { url: await addressOf(child, ended), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function addressOf(child: ChildProcess, ended: Promise<unknown>): Promise<string> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error("the process has no output to read");
  let said = "";
  stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4_000);
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`no address within ${startDeadlineMs} ms\n${said}`)),
      startDeadlineMs,
    );
    // Lines are read to the end, or the pipe would fill up and stop the process.
    createInterface({ input: stdout }).on("line", (line) => {
      const url = urlIn(line);
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(url);
    });
    void ended.then(() => {
      clearTimeout(timer);
      reject(new Error(`the process ended before it told its address\n${said}`));
    });
  });
}

function urlIn(line: string): string | undefined {
  if (!line.startsWith("{") || !line.includes('"url"')) return undefined;
  const record: unknown = JSON.parse(line);
  if (typeof record !== "object" || record === null || !("url" in record) || typeof record.url !== "string") {
    return undefined;
  }
  return record.url;
}
