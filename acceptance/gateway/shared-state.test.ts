import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { beforeAll, beforeEach, describe, expect, vi } from "vitest";
import { operator } from "../setup/admin.ts";
import { type ChatBody, postChat } from "../setup/clients.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { askFor, budgetNamed, inputTokens, nanoCost, prices, pricing } from "../setup/money.ts";
import { hasPostgres, startPostgres } from "../setup/postgres-server.ts";
import { hasRedis, overhear, startRedis } from "../setup/redis-server.ts";
import { testWith } from "../setup/requires.ts";
import {
  canaries,
  canaryEnv,
  localModel,
  openaiModel,
  startSimulators,
  type Upstreams,
  usualConfig,
} from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

type Redis = Awaited<ReturnType<typeof startRedis>>;
type Config = Omit<FairleadConfigInput, "upstreams">;

interface Replica extends GatewayProcess {
  readonly call: ReturnType<typeof operator>;
}

let redis: Redis;
let simulators: Upstreams;
let groups = 0;

beforeAll(async () => {
  if (!hasRedis) return;
  [redis, simulators] = await Promise.all([startRedis(), startSimulators()]);
});
beforeEach(async () => {
  if (hasRedis) await Promise.all(Object.values(simulators).map((simulator) => simulator.reset()));
});

const sharedTest = (name: string, body: () => Promise<void>, timeoutMs = 40_000): void =>
  testWith("redis", hasRedis, name, body, timeoutMs);

/** A group of replicas: one prefix, and a ledger for each. */
function group(config: Config, shared: Config["shared"] = {}) {
  const usual = usualConfig(simulators);
  const prefix = `group-${++groups}`;
  return {
    prefix,
    async start(): Promise<Replica> {
      const dir = tempDir();
      const whole: FairleadConfigInput = {
        ...usual,
        pricing: pricing(),
        ...config,
        routing: { ...usual.routing, retriesPerTarget: 0, ...config.routing },
        storage: { dir, ...config.storage },
        shared: { url: redis.url, prefix, timeoutMs: 1_000, ...shared },
      };
      const gateway = await startGateway({ config: whole, env: canaryEnv });
      return { ...gateway, call: operator(gateway, dir) };
    },
    /** Starts so many, and waits until each knows of all. */
    async startAll(count: number): Promise<Replica[]> {
      const all = await Promise.all(Array.from({ length: count }, () => this.start()));
      for (const one of all) await until(one, (value) => value("shared_replicas") === count);
      return all;
    },
  };
}

/** Waits until a replica's metrics say so. */
async function until({ url }: GatewayProcess, holds: (value: (name: string) => number) => boolean): Promise<void> {
  await vi.waitFor(
    async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      expect(holds((name) => Number(new RegExp(`^llm_router_${name} (\\S+)`, "m").exec(text)?.[1]))).toBe(true);
    },
    { timeout: 20_000, interval: 20 },
  );
}

const isUp = (up: 0 | 1) => (value: (name: string) => number) => value("shared_state_up") === up;

/** Waits until all have asked what is left after everything that was answered so far. */
async function agree(all: readonly Replica[]): Promise<void> {
  const afterS = Date.now() / 1_000;
  for (const one of all) await until(one, (value) => value("shared_last_sync_timestamp_seconds") > afterS);
}

/** Sends to the replicas in turn, all at once; how many of each status came back. */
async function flood(all: readonly Replica[], count: number, body: ChatBody): Promise<Record<number, number>> {
  const statuses = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const response = await postChat(all[i % all.length]?.url ?? "", body);
      await response.text();
      return response.status;
    }),
  );
  const counts: Record<number, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

const isAlert = ({ code }: Record<string, unknown>): boolean => code === "store_unavailable";

const perMinute = (requestsPerMinute: number): Config => ({
  limits: { each: { scope: { key: "*" }, requestsPerMinute } },
});
const short = askFor(2);

describe("while Redis answers", () => {
  sharedTest("three replicas let through what one limit allows, not three times that", async () => {
    const all = await group(perMinute(30)).startAll(3);
    expect(await flood(all, 60, short)).toEqual({ 200: 30, 429: 30 });
    const refused = await postChat(all[0]?.url ?? "", short);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  sharedTest("a budget is one for all replicas, and each of its thresholds is told once", async () => {
    const body = askFor(40, { max_tokens: 40 });
    const each = nanoCost(prices.openai, inputTokens(body), 40);
    const budgets = { day: { scope: "total", limitUsd: (each * 10.5) / 1e9, onExhausted: "refuse" } } as const;
    const all = await group({ budgets }).startAll(3);
    // In turn, so that what each costs is known before the next: ten fit, however they are spread.
    const statuses: number[] = [];
    for (let i = 0; i < 15; i++) {
      const response = await postChat(all[i % 3]?.url ?? "", body);
      await response.text();
      statuses.push(response.status);
      for (const { call } of all) {
        await vi.waitFor(async () => expect((await budgetNamed(call, "day")).held).toBe(0), { interval: 5 });
      }
    }
    expect(statuses).toEqual([...Array(10).fill(200), ...Array(5).fill(402)]);
    for (const { call } of all) expect((await budgetNamed(call, "day")).spent).toBe(each * 10);
    const told = () =>
      all
        .flatMap(({ child }) => child.records)
        .filter(({ event }) => event === "budget_reached")
        .map(({ threshold }) => threshold);
    await vi.waitFor(() => expect(told().length).toBe(3));
    expect(told().sort()).toEqual([0.5, 0.8, 1]);
  });

  sharedTest(
    "a replica that joins later finds what the others spent, and brings what its own ledger knows",
    async () => {
      const budgets = { day: { scope: "total", limitUsd: 1 } } as const;
      const replicas = group({ budgets });
      const first = await replicas.start();
      await until(first, isUp(1));
      const cost = nanoCost(prices.openai, inputTokens(short), 2);
      for (let i = 0; i < 3; i++) await (await postChat(first.url, short)).text();
      const second = await replicas.start();
      await (await postChat(second.url, short)).text();
      for (const { call } of [first, second]) {
        await vi.waitFor(async () => expect((await budgetNamed(call, "day")).spent).toBe(cost * 4), { timeout: 5_000 });
      }
    },
  );

  const bothTest = hasPostgres
    ? sharedTest
    : (name: string, body: () => Promise<void>) => testWith("postgres", false, name, body);
  bothTest("replicas on one database that start at once count what was spent before once", async () => {
    const config: Config = {
      budgets: { day: { scope: "total", limitUsd: 1 } },
      storage: { url: (await startPostgres()).createDatabase() },
      auth: { secret: "0123456789abcdef0123456789abcdef" },
    };
    const cost = nanoCost(prices.openai, inputTokens(short), 2);
    const earlier = await group(config).start();
    for (let i = 0; i < 3; i++) await (await postChat(earlier.url, short)).text();
    await earlier.stop();
    const replicas = group(config);
    const both = await replicas.startAll(2);
    for (const { url } of both) await (await postChat(url, short)).text();
    for (const { call } of both) {
      await vi.waitFor(async () => expect((await budgetNamed(call, "day")).spent).toBe(cost * 5), { timeout: 10_000 });
    }
    // A restart finds its part there.
    await both[0]?.stop();
    const again = await replicas.start();
    await vi.waitFor(async () => expect((await budgetNamed(again.call, "day")).spent).toBe(cost * 5), {
      timeout: 10_000,
    });
  });

  sharedTest("where a breaker opened, one failure is enough for the others; no prompt or key is told", async () => {
    const routing = { breaker: { failures: 3, cooldownMs: 60_000, minTries: 1_000 } };
    const models = { chat: { targets: [openaiModel, localModel] } };
    const replicas = group({ routing, models });
    const [one, other] = (await replicas.startAll(2)) as [Replica, Replica];
    const news = await overhear(redis.url, `{${replicas.prefix}}:news`);
    await simulators.openai.setFault({ spec: "status=500" });
    const ask = async ({ url }: Replica): Promise<number> => {
      const response = await postChat(url, { model: "chat", messages: [{ role: "user", content: "the secret plan" }] });
      await response.text();
      return response.status;
    };
    const failed = async (): Promise<number> => (await simulators.openai.generations()).length;
    for (let i = 0; i < 3; i++) expect(await ask(one)).toBe(200);
    expect(await failed()).toBe(3);
    await news.hear(/"opened":\[\["openai\//);
    expect(await ask(other)).toBe(200);
    expect(await failed()).toBe(4);
    for (let i = 0; i < 3; i++) expect(await ask(other)).toBe(200);
    expect(await failed()).toBe(4);
    for (const secret of ["secret plan", ...Object.values(canaries)]) expect(news.text()).not.toContain(secret);
  });

  sharedTest("what a killed replica was running counts no more", async () => {
    const all = await group({ limits: { each: { scope: { key: "*" }, concurrency: 2 } } }).startAll(2);
    const [one, other] = all as [Replica, Replica];
    const slow = askFor(400, { stream: true }, "[[sim:pace=50]]");
    const running = await Promise.all([postChat(one.url, slow), postChat(one.url, slow)]);
    expect(running.map(({ status }) => status)).toEqual([200, 200]);
    expect((await postChat(other.url, short)).status).toBe(429);
    one.child.process.kill("SIGKILL");
    await Promise.allSettled(running.map((response) => response.text()));
    await vi.waitFor(async () => expect((await postChat(other.url, short)).status).toBe(200), {
      timeout: 25_000,
      interval: 250,
    });
  });
});

describe("without Redis", () => {
  sharedTest("a stopped one holds up nobody for long, and limits are passed by nothing", async () => {
    const all = await group(perMinute(30), { timeoutMs: 2_000 }).startAll(3);
    expect(await flood(all, 12, short)).toEqual({ 200: 12 });
    await agree(all);
    redis.pause();
    try {
      const first = await flood(all, 30, short);
      expect(first).toEqual({ 200: 18, 429: 12 });
      for (const one of all) await until(one, isUp(0));
      // Each of them would wait two seconds if it asked: together longer than this test may take.
      for (let i = 0; i < 30; i++) {
        expect((await postChat(all[i % 3]?.url ?? "", short)).status).toBe(429);
      }
      for (const { child } of all) await child.record(isAlert, "an alert");
    } finally {
      redis.resume();
    }
    for (const one of all) await until(one, isUp(1));
    await agree(all);
    expect(await flood(all, 6, short)).toEqual({ 429: 6 });
    const told = all.map(({ child }) => child.records.filter(isAlert).length);
    expect(told).toEqual([1, 1, 1]);
  });

  sharedTest("after one that comes back empty, budgets know again what was spent, and limits hold", async () => {
    const own = await startRedis();
    const budgets = { day: { scope: "total", limitUsd: 1 } } as const;
    const all = await group({ budgets, ...perMinute(12) }, { url: own.url }).startAll(3);
    expect(await flood(all, 6, short)).toEqual({ 200: 6 });
    await agree(all);
    await own.kill();
    for (const one of all) await until(one, isUp(0));
    expect(await flood(all, 9, short)).toEqual({ 200: 6, 429: 3 });
    await own.restart();
    for (const one of all) await until(one, isUp(1));
    const cost = nanoCost(prices.openai, inputTokens(short), 2);
    for (const { call } of all) {
      await vi.waitFor(async () => expect((await budgetNamed(call, "day")).spent).toBe(cost * 12), { timeout: 10_000 });
    }
    // The six of before were forgotten with it, the six of meanwhile were not.
    expect(await flood(all, 12, short)).toEqual({ 200: 6, 429: 6 });
  });

  sharedTest("a gateway starts and serves, and shares once there is one", async () => {
    const own = await startRedis();
    await own.kill();
    const replica = await group(perMinute(5), { url: own.url }).start();
    expect((await postChat(replica.url, short)).status).toBe(200);
    await own.restart();
    await until(replica, isUp(1));
    expect(await flood([replica], 6, short)).toEqual({ 200: 4, 429: 2 });
  });
});
