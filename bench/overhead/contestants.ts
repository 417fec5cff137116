import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "../..");

/** A process that answers chat requests, measured from outside. */
export interface Contestant {
  readonly name: string;
  readonly pid: number;
  /** Where another process than `pid` answers a scenario. */
  pidOf?(scenario: Scenario): number;
  /** Milliseconds from the process's start to its first answer on `/`-like paths. */
  readonly startMs: number;
  /** Where a scenario's request goes; undefined when this contestant does not take part. */
  request(scenario: Scenario): { url: string; headers: Record<string, string>; body: string } | undefined;
  stop(): Promise<void>;
}

/**
 * `relay` and `translated` get all 50 chunks at once, which measures the gateway at its limit; `relayPaced` and
 * `translatedPaced` get one every 10 ms, as models send them.
 */
export type Scenario = "json" | "relay" | "translated" | "relayPaced" | "translatedPaced";

export const isPaced = (scenario: Scenario): boolean => scenario.endsWith("Paced");
export const isTranslated = (scenario: Scenario): boolean => scenario.startsWith("translated");

/** Milliseconds between two chunks of a paced stream. */
const paceMs = 10;

/** Origins of the upstream processes: one sends bursts, one is paced. */
export interface UpstreamUrls {
  readonly burst: string;
  readonly paced: string;
}

const upstreamOf = (urls: UpstreamUrls, scenario: Scenario): string => (isPaced(scenario) ? urls.paced : urls.burst);

/** About 1 KB of chat, as an application would send it. */
function chatBody(model: string, stream: boolean): string {
  const content = "Summarise the following note in one sentence. ".repeat(18);
  return JSON.stringify({
    model,
    messages: [{ role: "user", content }],
    max_tokens: 64,
    ...(stream ? { stream } : {}),
  });
}

const json = { "content-type": "application/json" };

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts a process and waits until `url` answers anything. */
async function start(command: string[], url: string, env: Record<string, string> = {}) {
  const startedMs = performance.now();
  const child = Bun.spawn(command, { cwd: root, env: { ...process.env, ...env }, stdout: "ignore", stderr: "ignore" });
  for (let tries = 0; tries < 2_000; tries++) {
    try {
      await (await fetch(url)).text();
      return { pid: child.pid, startMs: performance.now() - startedMs, stop: () => stop(child) };
    } catch {
      await Bun.sleep(5);
    }
    if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended with ${child.exitCode}`);
  }
  child.kill();
  throw new Error(`${command.join(" ")} did not answer on ${url}`);
}

async function stop(child: Bun.Subprocess): Promise<void> {
  child.kill();
  await child.exited;
}

/** The upstream that all contestants stand in front of; asked directly it is the floor. */
export async function startUpstreams(): Promise<{ urls: UpstreamUrls; contestant: Contestant }> {
  const script = join(root, "packages/simulator/src/bench-upstream.ts");
  const launch = async (pace: number) => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    return { url, ...(await start([process.execPath, script, String(port), String(pace)], `${url}/health`)) };
  };
  const burst = await launch(0);
  const paced = await launch(paceMs);
  const urls = { burst: burst.url, paced: paced.url };
  const contestant: Contestant = {
    name: "upstream directly",
    pid: burst.pid,
    pidOf: (scenario) => (isPaced(scenario) ? paced.pid : burst.pid),
    startMs: burst.startMs,
    async stop() {
      await burst.stop();
      await paced.stop();
    },
    request(scenario) {
      const path = isTranslated(scenario) ? "/v1/messages" : "/v1/chat/completions";
      return { url: upstreamOf(urls, scenario) + path, headers: json, body: chatBody("bench", scenario !== "json") };
    },
  };
  return { urls, contestant };
}

/** The least a proxy can do on this runtime: no parsing, no routing. */
export async function startBareProxy(urls: UpstreamUrls): Promise<Contestant> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const script = join(import.meta.dir, "bare-proxy.ts");
  const started = await start([process.execPath, script, String(port), urls.burst, urls.paced], `${url}/health`);
  return {
    name: "bare Bun + Hono proxy",
    ...started,
    request(scenario) {
      if (isTranslated(scenario)) return undefined;
      const path = isPaced(scenario) ? "/paced/v1/chat/completions" : "/v1/chat/completions";
      return { url: url + path, headers: json, body: chatBody("bench", scenario !== "json") };
    },
  };
}

/** What is switched on: `plain` keeps nothing and asks for no key; `governed` has all that costs money's care. */
export type Governance = "plain" | "governed";

/** Every rule counts, none is ever reached. */
const rules = `auth: { required: true }
pricing:
  overrides:
    - { model: native, input: 1, output: 2 }
    - { model: native-paced, input: 1, output: 2 }
    - { model: foreign, input: 3, output: 15 }
    - { model: foreign-paced, input: 3, output: 15 }
budgets:
  total: { scope: total, limitUsd: 1000000 }
  cloud: { scope: { placement: cloud }, limitUsd: 1000000 }
  key: { scope: { key: bench }, limitUsd: 1000000, window: { rollingHours: 24 } }
limits:
  key: { scope: { key: "*" }, requestsPerMinute: 100000000, tokensPerMinute: 1000000000000, concurrency: 100000 }
`;

/** Makes a virtual key with this machine's own token. */
async function makeKey(url: string, dir: string): Promise<string> {
  const token = readFileSync(join(dir, "admin-token"), "utf8").trim();
  const response = await fetch(`${url}/admin/v1/keys`, {
    method: "POST",
    headers: { ...json, authorization: `Bearer ${token}` },
    body: JSON.stringify({ name: "bench" }),
  });
  const made = (await response.json()) as { key?: string };
  if (made.key === undefined) throw new Error(`no key: ${JSON.stringify(made)}`);
  return made.key;
}

/**
 * Fairlead with routing, breaker, probes, metrics and one log line a request; `governed` also with a virtual key, limits,
 * three budgets, and the journal and ledger in SQLite.
 */
export async function startFairlead({ burst, paced }: UpstreamUrls, governance: Governance): Promise<Contestant> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = mkdtempSync(join(tmpdir(), "fairlead-bench-"));
  const config = join(folder, "fairlead.yaml");
  const dir = join(folder, "data");
  const isGoverned = governance === "governed";
  writeFileSync(
    config,
    `storage: { ${isGoverned ? `dir: "${dir}"` : "url: memory"} }
${isGoverned ? rules : ""}upstreams:
  native: { placement: local, protocol: openai-chat, baseUrl: "${burst}/v1", models: [{ id: native }] }
  foreign: { placement: cloud, protocol: anthropic-messages, baseUrl: "${burst}/v1", models: [{ id: foreign }], health: false }
  native-paced: { placement: local, protocol: openai-chat, baseUrl: "${paced}/v1", models: [{ id: native-paced }] }
  foreign-paced: { placement: cloud, protocol: anthropic-messages, baseUrl: "${paced}/v1", models: [{ id: foreign-paced }], health: false }
`,
  );
  const main = join(root, "packages/gateway/src/main.ts");
  const command = [process.execPath, main, "serve", "--config", config, "--port", String(port)];
  const started = await start(command, `${url}/health`, { BUN_CONFIG_MAX_HTTP_REQUESTS: "65535", LOG_LEVEL: "info" });
  const headers = isGoverned ? { ...json, authorization: `Bearer ${await makeKey(url, dir)}` } : json;
  const modelOf = (scenario: Scenario): string =>
    (isTranslated(scenario) ? "foreign" : "native") + (isPaced(scenario) ? "-paced" : "");
  return {
    name: isGoverned ? "Fairlead governed" : "Fairlead",
    ...started,
    request: (scenario) => ({
      url: `${url}/v1/chat/completions`,
      headers,
      body: chatBody(modelOf(scenario), scenario !== "json"),
    }),
  };
}

/** Portkey's gateway as its npm package starts it, on Node. */
export async function startPortkey(urls: UpstreamUrls): Promise<Contestant> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const manifest = createRequire(import.meta.url).resolve("@portkey-ai/gateway/package.json");
  const script = join(dirname(manifest), "build/start-server.js");
  const started = await start(["node", script, `--port=${port}`, "--headless"], `${url}/`);
  return {
    name: "Portkey",
    ...started,
    request(scenario) {
      const provider = isTranslated(scenario) ? "anthropic" : "openai";
      const headers = {
        ...json,
        authorization: "Bearer bench",
        "x-portkey-provider": provider,
        "x-portkey-custom-host": `${upstreamOf(urls, scenario)}/v1`,
      };
      return { url: `${url}/v1/chat/completions`, headers, body: chatBody("bench", scenario !== "json") };
    },
  };
}
