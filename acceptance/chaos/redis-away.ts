import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import type { GatewayProcess } from "../setup/gateway-process.ts";
import { startRedis } from "../setup/redis-server.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { ask, numberedWords } from "./ask.ts";
import { expectNoLeak, footprint } from "./footprint.ts";
import { startLoad } from "./load.ts";
import { metric } from "./metric.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

const text = numberedWords(6);
/** What a request may wait for Redis, by config. */
const timeoutMs = 250;
/** An answer without that, on a machine that does much else. */
const usualMs = 1_500;
const requestsPerMinute = 40;

type Redis = Awaited<ReturnType<typeof startRedis>>;

/** Kills, pauses, resumes and empties Redis under load with limits and a budget. */
export async function redisAway(stage: Stage): Promise<void> {
  const redis = await startRedis();
  stage.onEnd(() => redis.stop());
  const local = await stage.simulator("--flavour", "vllm", "--model", "chat");
  const replicas = (prefix: string, limits: FairleadConfigInput["limits"]): Promise<GatewayProcess[]> =>
    startReplicas(stage, redis, local.url, prefix, limits);

  const [one, other] = await replicas("ample", { ample: { scope: { key: "*" }, requestsPerMinute: 1_000_000 } });
  if (one === undefined || other === undefined) throw new Error("two replicas");
  const starts = await Promise.all([one, other].map(footprint));
  const clients = stage.pick(3, 8);
  const loads = [one, other].map(({ url }, position) =>
    startLoad(stage, url, {
      name: `replica ${position}`,
      model: "local/chat",
      text,
      paceMs: 2,
      clients,
      honest: ["answered"],
    }),
  );
  const go = () => Promise.all(loads.map((load) => load.more(stage.pick(15, 100))));
  const shared = (up: 0 | 1) =>
    until(`shared state ${up === 1 ? "back" : "gone"}`, async () => {
      return (await Promise.all([one, other].map(({ url }) => metric(url, "shared_state_up")))).every(
        (now) => now === up,
      );
    });
  await go();
  const rounds = stage.pick(1, 3);
  for (let round = 0; round < rounds; round++) {
    redis.pause();
    await shared(0);
    await go();
    redis.resume();
    await shared(1);
    await go();
    await redis.kill();
    await shared(0);
    await go();
    // It comes back empty.
    await redis.restart();
    await shared(1);
    await go();
  }
  const seen = (await Promise.all(loads.map((load) => load.stop()))).flat();
  const slow = seen.filter(({ ms }) => ms > usualMs + timeoutMs);
  stage.expect(slow.length === 0, `${slow.length} requests waited for Redis beyond ${timeoutMs} ms`);
  await Promise.all([one, other].map((gateway, i) => expectNoLeak(stage, gateway, starts[i]!)));
  await Promise.all([one, other].map((gateway) => gateway.stop()));

  // A pause keeps what was counted: both replicas together stay within the limit.
  stage.expect(
    (await flood(stage, await replicas("paused", tight), redis, "pause")) === requestsPerMinute,
    "a limit passed",
  );
  // One that comes back empty has forgotten the running minute: at most twice the limit, as docs/guides/replicas.md says.
  const allowed = await flood(stage, await replicas("emptied", tight), redis, "kill");
  stage.expect(
    allowed <= 2 * requestsPerMinute && allowed >= requestsPerMinute,
    `${allowed} requests in a minute's limit`,
  );
}

const tight = { tight: { scope: { key: "*" }, requestsPerMinute } } as const;

async function startReplicas(
  stage: Stage,
  redis: Redis,
  local: string,
  prefix: string,
  limits: FairleadConfigInput["limits"],
): Promise<GatewayProcess[]> {
  const all = await Promise.all(
    [0, 1].map(() =>
      stage.gateway({
        upstreams: { local: { preset: "vllm", baseUrl: `${local}/v1`, models: [{ id: "chat" }] } },
        routing: { fallback: [] },
        pricing: { overrides: [{ model: "chat", input: 1, output: 1 }] },
        budgets: { day: { scope: "total", limitUsd: 1_000 } },
        limits,
        storage: { dir: tempDir() },
        shared: { url: redis.url, prefix, timeoutMs },
      }),
    ),
  );
  for (const { url } of all) await until("both replicas", async () => (await metric(url, "shared_replicas")) === 2);
  return all;
}

/** More than the limit allows, a part of it before Redis goes, a part meanwhile, a part after; how many were answered. */
async function flood(
  stage: Stage,
  replicas: readonly GatewayProcess[],
  redis: Redis,
  how: "pause" | "kill",
): Promise<number> {
  let answered = 0;
  const part = async (count: number): Promise<void> => {
    const all = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        ask(replicas[i % replicas.length]?.url ?? "", { model: "local/chat", stream: false, text }),
      ),
    );
    for (const seen of all) {
      stage.count(seen, `Redis gone by ${how}`);
      stage.expect(
        seen.end === "answered" || seen.label === "error 429 limit_reached",
        `Redis gone by ${how}: ${seen.label}`,
      );
      if (seen.end === "answered") answered++;
    }
  };
  const all = (up: 0 | 1) =>
    Promise.all(
      replicas.map(({ url }) => until("shared state", async () => (await metric(url, "shared_state_up")) === up)),
    );
  const agreed = async (): Promise<void> => {
    const afterS = Date.now() / 1_000;
    for (const { url } of replicas) {
      await until(
        "a look at the others",
        async () => (await metric(url, "shared_last_sync_timestamp_seconds")) > afterS,
      );
    }
  };
  await part(16);
  await agreed();
  if (how === "pause") redis.pause();
  else await redis.kill();
  try {
    // The first ones find out.
    await part(8);
    await all(0);
    await part(40);
  } finally {
    if (how === "pause") redis.resume();
    else await redis.restart();
  }
  await all(1);
  await agreed();
  await part(60);
  await Promise.all(replicas.map((gateway) => gateway.stop()));
  return answered;
}
