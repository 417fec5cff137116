import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { operator } from "../setup/admin.ts";
import { type ChatBody, dataLines, openaiClient, postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, spawnGateway, startGateway } from "../setup/gateway-process.ts";
import { dumpLedger } from "../setup/ledger-rows.ts";
import { askFor, budgetNamed, inputTokens, nanoCost, prices, pricing } from "../setup/money.ts";
import { hasRedis, startRedis } from "../setup/redis-server.ts";
import { testWith } from "../setup/requires.ts";
import { canaryEnv, localModel, openaiModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { startSteadyLoad } from "../setup/steady-load.ts";
import { tempDir } from "../setup/temp-dir.ts";

type Config = Omit<FairleadConfigInput, "upstreams">;

interface Workers extends GatewayProcess {
  readonly dir: string;
  readonly path: string;
  readonly call: ReturnType<typeof operator>;
}

const patience = { timeout: 10_000, interval: 50 };
const count = 3;
/** A connection of its own for each request, so that any worker may get it. */
const fresh = { connection: "close" };
const short = askFor(2);

let simulators: Upstreams;

beforeAll(async () => {
  simulators = await startSimulators();
});

function textOf(dir: string, config: Config): string {
  const usual = usualConfig(simulators);
  return stringify({
    ...usual,
    pricing: pricing(),
    ...config,
    routing: { ...usual.routing, retriesPerTarget: 0, ...config.routing },
    storage: { dir, ...config.storage },
    server: { workers: count, drainDelayMs: 200, ...config.server },
  });
}

async function start(config: Config = {}): Promise<Workers> {
  const [folder, dir] = [tempDir(), tempDir()];
  const path = join(folder, "fairlead.yaml");
  writeFileSync(path, textOf(dir, config));
  const gateway = await startGateway({ args: ["--config", path], env: canaryEnv });
  return { ...gateway, dir, path, call: operator(gateway, dir) };
}

/** The workers' process ids, in the order they were started. */
function pidsOf({ child }: { readonly child: { readonly pid: number } }): number[] {
  const { pid } = child;
  // Any thread may have started them.
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" "))
    .filter((text) => text !== "")
    .map(Number)
    .sort((a, b) => a - b);
}

const lives = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

const records = ({ child }: GatewayProcess, event: string) =>
  child.records.filter((record) => record["event"] === event);

async function status(url: string, body: ChatBody = short, headers: Record<string, string> = {}): Promise<number> {
  const response = await postChat(url, body, { ...fresh, ...headers });
  await response.text();
  return response.status;
}

async function flood(url: string, times: number, body = short): Promise<Record<number, number>> {
  const all = await Promise.all(Array.from({ length: times }, () => status(url, body)));
  const counts: Record<number, number> = {};
  for (const one of all) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

/** What the workers say, each asked often enough that all were. */
async function answers<T>(ask: () => Promise<T>, times = 24): Promise<T[]> {
  return [...new Set(await Promise.all(Array.from({ length: times }, ask)))];
}

const targetOf = (url: string, model: string) => async (): Promise<string | null> => {
  const response = await postChat(url, say("Hi", { model }), fresh);
  await response.text();
  return response.status === 200 ? response.headers.get("x-router-target") : `status ${response.status}`;
};

async function scrape(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`, { headers: fresh })).text();
}

function sum(text: string, name: string): number {
  let total = 0;
  for (const [, value] of text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))) total += Number(value);
  return total;
}

describe("as one gateway", () => {
  test("tells its start once, and what is done once is done once", async () => {
    const gateway = await start();
    expect(pidsOf(gateway)).toHaveLength(count);
    expect(records(gateway, "listening")).toHaveLength(1);
    expect(String(records(gateway, "listening")[0]?.["findings"])).toContain(`workers: ${count}`);
    expect(gateway.child.records).toHaveLength(1);
    expect(gateway.child.stderr).toBe("");
  });

  test("a limit of 30 a minute lets 30 of 60 through", async () => {
    const { url } = await start({ limits: { each: { scope: { key: "*" }, requestsPerMinute: 30 } } });
    expect(await flood(url, 60)).toEqual({ 200: 30, 429: 30 });
  });

  test("a budget is one for all workers, and each of its thresholds is told once", async () => {
    const body = askFor(40, { max_tokens: 40 });
    const each = nanoCost(prices.openai, inputTokens(body), 40);
    const budgets = { day: { scope: "total", limitUsd: (each * 10.5) / 1e9, onExhausted: "refuse" } } as const;
    const gateway = await start({ budgets });
    const statuses: number[] = [];
    for (let i = 0; i < 15; i++) {
      statuses.push(await status(gateway.url, body));
      await vi.waitFor(async () => expect((await budgetNamed(gateway.call, "day")).held).toBe(0), patience);
    }
    expect(statuses).toEqual([...Array(10).fill(200), ...Array(5).fill(402)]);
    const spent = () => budgetNamed(gateway.call, "day").then((budget) => budget.spent);
    expect(await answers(spent)).toEqual([each * 10]);
    await vi.waitFor(() => expect(records(gateway, "budget_reached")).toHaveLength(3), patience);
    expect(
      records(gateway, "budget_reached")
        .map(({ threshold }) => threshold)
        .sort(),
    ).toEqual([0.5, 0.8, 1]);
    // All at once, the limit holds too.
    const other = await start({ budgets });
    await flood(other.url, 40, body);
    await vi.waitFor(async () => expect((await budgetNamed(other.call, "day")).held).toBe(0), patience);
    expect((await budgetNamed(other.call, "day")).spent).toBeLessThanOrEqual(each * 10.5);
  });

  test("metrics are sums, the same whichever worker is asked", async () => {
    const { url } = await start();
    await flood(url, 40);
    await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_requests_total")).toBe(40), patience);
    const shown = (): Promise<string> =>
      scrape(url).then((text) =>
        JSON.stringify(
          ["requests_total", "request_duration_seconds_count", "request_duration_seconds_bucket"].map((name) =>
            sum(text, `llm_router_${name}`),
          ),
        ),
      );
    const seen = await answers(shown);
    expect(seen).toHaveLength(1);
    expect(JSON.parse(seen[0] ?? "").slice(0, 2)).toEqual([40, 40]);
    expect(await scrape(url)).toMatch(/^llm_router_request_duration_seconds_bucket\{le="0.05",target="openai"\} \d+$/m);
  });

  test("a key made through the admin API holds for each connection at once, and its end too", async () => {
    const { url, call } = await start();
    const made = await call("POST", "/keys", { name: "team" });
    expect(made.status, made.text).toBe(201);
    const authorization = { authorization: `Bearer ${made.json.secret ?? made.json.key}` };
    expect(await answers(() => status(url, short, authorization))).toEqual([200]);
    expect(await answers(() => status(url, short, { authorization: "Bearer fl-nobody" }))).toEqual([401]);
    // Where there is no key at all, nobody needs one.
    expect((await call("POST", "/keys", { name: "other" })).status).toBe(201);
    const gone = await call("DELETE", `/keys/${made.json.id}`);
    expect(gone.status, gone.text).toBe(200);
    expect(await answers(() => status(url, short, authorization))).toEqual([401]);
  });

  test("a decision is found whichever worker is asked, also while it runs", async () => {
    const { url } = await start();
    const response = await postChat(
      url,
      say("[[sim:tokens=60]][[sim:pace=20]]", { model: "local", stream: true }),
      fresh,
    );
    const id = response.headers.get("x-router-decision-id");
    const find = async (): Promise<number> => (await fetch(`${url}/v1/decisions/${id}`, { headers: fresh })).status;
    expect(await answers(find)).toEqual([200]);
    await response.text();
    expect(await answers(find)).toEqual([200]);
  });
});

describe("the config", () => {
  test("one that is applied is in force in every worker when the answer comes", async () => {
    const gateway = await start({ aliases: { fast: openaiModel } });
    const { url, call, path, dir } = gateway;
    expect(await answers(targetOf(url, "fast"))).toEqual([`openai/${openaiModel}`]);
    const text = textOf(dir, { aliases: { fast: localModel } });
    const applied = await call("POST", "/config/apply", { text });
    expect(applied.status, applied.text).toBe(200);
    expect(await answers(targetOf(url, "fast"))).toEqual([`vllm/${localModel}`]);
    expect(await answers(async () => (await call("GET", "/config")).json.version)).toEqual([applied.json.version]);
    expect(readFileSync(path, "utf8")).toBe(text);
    // One change is one line of the history, whoever saw it.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const audit = (await call("GET", "/audit?limit=100")).json.data.map(({ action }: { action: string }) => action);
    expect(audit.filter((action: string) => action === "config.applied")).toHaveLength(1);
    expect(audit.filter((action: string) => action === "config.reloaded")).toHaveLength(0);
    // Based on what is in force, a second worker may change it at once.
    const back = await call("POST", "/config/apply", {
      text: textOf(dir, { aliases: { fast: openaiModel } }),
      base_version: applied.json.version,
    });
    expect(back.status, back.text).toBe(200);
    expect(await answers(targetOf(url, "fast"))).toEqual([`openai/${openaiModel}`]);
  });

  test.each(["by itself", "with SIGHUP"])("a file that is changed comes into force in all, %s", async (how) => {
    const config = { server: { watchConfig: how === "by itself" } };
    const gateway = await start({ ...config, aliases: { fast: openaiModel } });
    const { url, call, path, dir, child } = gateway;
    writeFileSync(path, textOf(dir, { ...config, aliases: { fast: localModel } }));
    if (how === "with SIGHUP") child.process.kill("SIGHUP");
    await child.record(({ event }) => event === "config_reloaded", "the reload");
    expect(await answers(targetOf(url, "fast"))).toEqual([`vllm/${localModel}`]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(records(gateway, "config_reloaded")).toHaveLength(1);
    const audit = (await call("GET", "/audit?limit=100")).json.data.map(({ action }: { action: string }) => action);
    expect(audit.filter((action: string) => action === "config.reloaded")).toHaveLength(1);
  });

  test("a worker that is started again goes by what is in force, not by a faulty file", async () => {
    const gateway = await start({ aliases: { fast: openaiModel } });
    const { url, call, path, dir } = gateway;
    const applied = await call("POST", "/config/apply", { text: textOf(dir, { aliases: { fast: localModel } }) });
    expect(applied.status, applied.text).toBe(200);
    writeFileSync(path, "upstreams: [");
    const before = pidsOf(gateway);
    for (const pid of before) {
      process.kill(pid, "SIGKILL");
      await vi.waitFor(() => {
        expect(pidsOf(gateway)).toHaveLength(count);
        expect(pidsOf(gateway)).not.toContain(pid);
      }, patience);
      await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_shared_replicas")).toBe(count), patience);
    }
    expect(await answers(targetOf(url, "fast"))).toEqual([`vllm/${localModel}`]);
    expect(await answers(async () => (await call("GET", "/config")).json.version)).toEqual([applied.json.version]);
  });
});

/** Opens paced streams, each on a connection of its own; resolves when all have content. */
async function openStreams(url: string, streams: number, text: string): Promise<Promise<string>[]> {
  const all = await Promise.all(
    Array.from({ length: streams }, async () => {
      const response = await postChat(url, say(text, { model: "local", stream: true }), fresh);
      expect(response.status).toBe(200);
      return response;
    }),
  );
  return all.map((response) => response.text().catch(() => "broken"));
}

const isWhole = (text: string): boolean => dataLines(text).at(-1) === "[DONE]" && !text.includes('"error"');

describe("when a process ends", () => {
  test("kill -9 of a worker breaks its own connections only; what it held is freed, and it comes back", async () => {
    const streams = 24;
    const gateway = await start({ limits: { all: { scope: { key: "*" }, concurrency: streams } } });
    const { url } = gateway;
    const open = await openStreams(url, streams, "[[sim:tokens=150]][[sim:pace=20]]");
    expect(await status(url)).toBe(429);
    const [, victim = 0] = pidsOf(gateway);
    process.kill(victim, "SIGKILL");
    // At once: nobody has to be found dead first.
    await vi.waitFor(async () => expect(await status(url)).toBe(200), { timeout: 2_000, interval: 20 });
    const texts = await Promise.all(open);
    const broken = texts.filter((text) => !isWhole(text)).length;
    expect(broken).toBeGreaterThan(0);
    expect(broken).toBeLessThan(streams);
    await vi.waitFor(() => expect(pidsOf(gateway)).toHaveLength(count), patience);
    expect(pidsOf(gateway)).not.toContain(victim);
    await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_shared_replicas")).toBe(count), patience);
    // Nothing is held any more.
    expect((await flood(url, streams, askFor(2)))[200]).toBe(streams);
  });

  test("kill -9 of a worker under load loses no row of the ledger and doubles none; counts do not go back", async () => {
    const gateway = await start();
    const { url, dir } = gateway;
    const answered = new Set<string>();
    let sent = 0;
    let stopped = false;
    const ask = async (): Promise<void> => {
      while (!stopped) {
        sent++;
        try {
          const response = await postChat(url, short, fresh);
          await response.text();
          if (response.status === 200) answered.add(response.headers.get("x-router-decision-id") ?? "");
        } catch {
          // Its worker was killed.
        }
      }
    };
    const load = Promise.all(Array.from({ length: 6 }, ask));
    let last = 0;
    for (let kill = 0; kill < 2; kill++) {
      await vi.waitFor(() => expect(answered.size).toBeGreaterThan((kill + 1) * 100), patience);
      last = sum(await scrape(url), "llm_router_requests_total");
      const [victim = 0] = pidsOf(gateway);
      process.kill(victim, "SIGKILL");
      await vi.waitFor(() => expect(pidsOf(gateway)).not.toContain(victim), patience);
      expect(sum(await scrape(url), "llm_router_requests_total")).toBeGreaterThanOrEqual(last);
      await vi.waitFor(() => expect(pidsOf(gateway)).toHaveLength(count), patience);
    }
    stopped = true;
    await load;
    await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_shared_replicas")).toBe(count), patience);
    // What the killed ones left is stored while the others go on.
    await vi.waitFor(() => expect(readdirSync(join(dir, "journal")).filter(isFolder)).toHaveLength(count), patience);
    expect(await gateway.stop()).toBe(0);
    const { rows } = await dumpLedger(`sqlite:${join(dir, "fairlead.db")}`);
    const ids = rows.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const settled = new Set(rows.filter(({ orphaned }) => !orphaned).map(({ id }) => id));
    expect([...answered].filter((id) => !settled.has(id))).toEqual([]);
    expect(ids.length).toBeLessThanOrEqual(sent);
  }, 60_000);

  test("a worker that dies again and again ends the gateway, and nothing is left", async () => {
    const gateway = await start();
    const { child } = gateway;
    const others = pidsOf(gateway).slice(0, 2);
    let isOver = false;
    void child.ended.then(() => {
      isOver = true;
    });
    await vi.waitFor(
      () => {
        if (isOver) return;
        for (const pid of pidsOf(gateway)) if (!others.includes(pid)) process.kill(pid, "SIGKILL");
        throw new Error("it still runs");
      },
      { timeout: 25_000, interval: 20 },
    );
    expect(await child.ended).toBe(1);
    expect(others.filter(lives)).toEqual([]);
    const told = records(gateway, "worker_ended");
    expect(told.filter(({ level }) => level === 40)).toHaveLength(6);
    expect(told.at(-1)).toMatchObject({ level: 50, ending: "signal SIGKILL" });
  }, 40_000);

  test("SIGTERM takes readiness away in all, lets streams finish, and ends with 0", async () => {
    const gateway = await start();
    const { url, child } = gateway;
    const pids = pidsOf(gateway);
    const open = await openStreams(url, 9, "[[sim:tokens=80]][[sim:pace=10]]");
    child.process.kill("SIGTERM");
    await vi.waitFor(async () => {
      const ready = () =>
        fetch(`${url}/health/ready`, { headers: fresh }).then(
          (response) => response.status,
          () => 0,
        );
      expect((await answers(ready)).filter((code) => code === 200)).toEqual([]);
    }, patience);
    expect((await Promise.all(open)).filter((text) => !isWhole(text))).toEqual([]);
    expect(await child.ended).toBe(0);
    expect(pids.filter(lives)).toEqual([]);
  });

  test("kill -9 of the parent leaves no process behind, and no stream broken", async () => {
    const gateway = await start();
    const pids = pidsOf(gateway);
    expect(pids).toHaveLength(count);
    const open = await openStreams(gateway.url, 6, "[[sim:tokens=40]][[sim:pace=10]]");
    process.kill(gateway.child.pid, "SIGKILL");
    expect((await Promise.all(open)).filter((text) => !isWhole(text))).toEqual([]);
    await vi.waitFor(() => expect(pids.filter(lives)).toEqual([]), patience);
  });

  test("kill -9 of the parent while workers begin leaves no process behind either", async () => {
    const dir = tempDir();
    const child = spawnGateway({ config: textOf(dir, {}), env: canaryEnv });
    // Its first worker has begun to keep things, and does not serve yet.
    const journals = () => readdirSync(join(dir, "journal")).filter(isFolder);
    await vi.waitFor(() => expect(journals()).toHaveLength(1), { timeout: 10_000, interval: 1 });
    const pids = pidsOf({ child });
    process.kill(child.pid, "SIGKILL");
    expect(pids.length).toBeGreaterThan(0);
    await vi.waitFor(() => expect(pids.filter(lives)).toEqual([]), patience);
  });

  test("a drain lasts as long as the config in force says, also when that is longer than at the start", async () => {
    const gateway = await start({ server: { workers: 2, drainDelayMs: 0, drainTimeoutMs: 100 } });
    const { url, call, dir, child } = gateway;
    const text = textOf(dir, { server: { workers: 2, drainDelayMs: 0, drainTimeoutMs: 60_000 } });
    const applied = await call("POST", "/config/apply", { text });
    expect(applied.status, applied.text).toBe(200);
    const open = await openStreams(url, 4, "[[sim:tokens=350]][[sim:pace=20]]");
    child.process.kill("SIGTERM");
    expect((await Promise.all(open)).filter((whole) => !isWhole(whole))).toEqual([]);
    expect(await child.ended).toBe(0);
  });

  test("while the parent is stopped requests are served within slices of the limit, and afterwards within all of it", async () => {
    const gateway = await start({ limits: { each: { scope: { key: "*" }, requestsPerMinute: 30 } } });
    const { url, child } = gateway;
    expect(await flood(url, 10)).toEqual({ 200: 10 });
    const since = Date.now() / 1_000;
    // All know what is left.
    await vi.waitFor(
      async () =>
        expect(sum(await scrape(url), "llm_router_shared_last_sync_timestamp_seconds")).toBeGreaterThan(since),
      patience,
    );
    child.process.kill("SIGSTOP");
    const counts = await flood(url, 60);
    expect(counts[200]).toBeGreaterThan(0);
    expect(counts[200]).toBeLessThanOrEqual(20);
    child.process.kill("SIGCONT");
    await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_shared_state_up")).toBe(1), patience);
    const rest = await flood(url, 30);
    expect((counts[200] ?? 0) + (rest[200] ?? 0)).toBe(20);
  });
});

testWith(
  "redis",
  hasRedis,
  "with a shared store the workers of two gateways count there, and each gateway is still one",
  async () => {
    const redis = await startRedis();
    const config: Config = {
      server: { workers: 2 },
      shared: { url: redis.url, prefix: "workers-test", timeoutMs: 1_000 },
      limits: { each: { scope: { key: "*" }, requestsPerMinute: 30 } },
    };
    const both = await Promise.all([start(config), start(config)]);
    for (const { url } of both) {
      await vi.waitFor(async () => expect(sum(await scrape(url), "llm_router_shared_replicas")).toBe(4), patience);
    }
    const counts = await Promise.all(both.map(({ url }) => flood(url, 30)));
    expect(counts.reduce((total, each) => total + (each[200] ?? 0), 0)).toBe(30);
    for (const { url } of both) expect(sum(await scrape(url), "llm_router_requests_total")).toBe(30);
  },
  30_000,
);

const isFolder = (name: string): boolean => /^[0-9a-f]{24}$/.test(name);

describe("a start that fails", () => {
  test("a port that is taken is told of once", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = String(typeof address === "object" && address !== null ? address.port : 0);
    const config = { ...usualConfig(simulators), server: { workers: 2 } };
    const child = spawnGateway({ config, env: canaryEnv, args: ["--port", port] });
    expect(await child.ended).toBe(1);
    expect(child.stderr.match(/is taken by/g)).toHaveLength(1);
    expect(child.stdout).toBe("");
    server.close();
  });

  test("another gateway with workers does not join the port", async () => {
    const first = await start();
    const config = { ...usualConfig(simulators), server: { workers: 2 } };
    const child = spawnGateway({ config, env: canaryEnv, args: ["--port", new URL(first.url).port] });
    expect(await child.ended).toBe(1);
    expect(child.stderr).toContain("another Fairlead gateway");
  });

  test("a config that is wrong is told of once, also in what only a worker finds", async () => {
    const wrong = { ...usualConfig(simulators), server: { workers: 2 }, colour: "red" } as FairleadConfigInput;
    const one = spawnGateway({ config: wrong, env: canaryEnv });
    expect(await one.ended).toBe(2);
    expect(one.stderr.match(/colour/g)).toHaveLength(1);
    const usual = usualConfig(simulators);
    const upstreams = {
      ...usual.upstreams,
      vllm: { ...usual.upstreams?.["vllm"], auth: { type: "bearer", key: { file: "/nowhere" } } },
    };
    const unread = { ...usual, upstreams, server: { workers: 2 } } as FairleadConfigInput;
    const two = spawnGateway({ config: unread, env: canaryEnv });
    expect(await two.ended).toBe(2);
    expect(two.stderr.match(/vllm\.auth\.key/g)).toHaveLength(1);
  });

  test("storage that is not kept is refused, and so is the demo", async () => {
    const config = { ...usualConfig(simulators), storage: { url: "memory" }, server: { workers: 2 } };
    const child = spawnGateway({ config, env: canaryEnv });
    expect(await child.ended).toBe(1);
    expect(child.stderr).toMatch(/server\.workers.*storage\.url/);
    const demo = spawnGateway({ config: { server: { workers: 2 } }, command: "demo" });
    expect(await demo.ended).toBe(1);
    expect(demo.stderr).toMatch(/server\.workers.*demo/);
  });
});

test("the number may be given on the command line; one is one process, as ever", async () => {
  const config = usualConfig(simulators);
  const two = await startGateway({ config, env: canaryEnv, args: ["--workers", "2"] });
  expect(pidsOf(two)).toHaveLength(2);
  const load = startSteadyLoad(openaiClient(two.url), { model: "local", clients: 4, most: 40 });
  await vi.waitFor(
    async () => expect(sum(await scrape(two.url), "llm_router_requests_total")).toBeGreaterThan(20),
    patience,
  );
  expect(await load.stop()).toMatchObject({ failed: [] });
  const one = await startGateway({
    config: { ...config, server: { workers: 2 } },
    env: canaryEnv,
    args: ["--workers", "1"],
  });
  expect(pidsOf(one)).toEqual([]);
});
