import { controlClient } from "@fairlead/simulator/control-client";
import { findBun } from "../../scripts/bun.mjs";
import { Child } from "../setup/child-process.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { ask, numberedWords, type Seen } from "./ask.ts";
import { expectNoLeak, footprint } from "./footprint.ts";
import { startLoad } from "./load.ts";
import { metric } from "./metric.ts";
import { makeNetwork, type Network } from "./network.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

const text = numberedWords(8);
const connectMs = 800;
const redisMs = 250;
/** An answer where nobody is waited for, on a machine that does much else. */
const usualMs = 1_500;
const port = 7_001;

/** Cuts the network to the upstream, then to Redis, then to both: nothing says so, packets just vanish. */
export async function partitions(stage: Stage): Promise<void> {
  const [near, far] = [makeNetwork(stage), makeNetwork(stage)];
  await startInside(stage, near, findBun(), "packages/simulator/src/main.ts", ...simulator(near));
  const control = controlClient(`http://${near.address}:${port}`);
  await until("the upstream inside", async () => (await control.hits()).length >= 0);
  const redis = ["redis-server", "--port", `${port}`, "--bind", far.address, "--protected-mode", "no", "--save", ""];
  await startInside(stage, far, ...redis);
  const cloud = await stage.simulator("--flavour", "anthropic", "--model", "claude-sonnet-4-6");
  const gateway = await stage.gateway({
    upstreams: {
      local: {
        preset: "vllm",
        baseUrl: `http://${near.address}:${port}/v1`,
        health: { intervalMs: 300, timeoutMs: 600 },
        timeouts: { connectMs, firstContentMs: 2_000, wholeMs: 3_000, idleMs: 2_000 },
        models: [{ id: "chat" }],
      },
      cloud: { preset: "anthropic", baseUrl: `${cloud.url}/v1`, models: [{ id: "claude-sonnet-4-6" }] },
    },
    models: {
      chat: { targets: ["local/chat", "cloud/claude-sonnet-4-6"], fallback: [] },
      alone: { targets: ["local/chat"], fallback: [] },
    },
    limits: { ample: { scope: { key: "*" }, requestsPerMinute: 1_000_000 } },
    routing: { retriesPerTarget: 0, breaker: { failures: 3, cooldownMs: 500, halfOpenTrials: 1 } },
    storage: { dir: tempDir() },
    shared: { url: `redis://${far.address}:${port}`, timeoutMs: redisMs },
  });
  const isShared = (up: 0 | 1) => async (): Promise<boolean> => (await metric(gateway.url, "shared_state_up")) === up;
  await until("Redis", isShared(1));
  const load = startLoad(stage, gateway.url, {
    name: "requests",
    model: "chat",
    text,
    paceMs: 2,
    clients: stage.pick(3, 8),
  });
  const more = stage.pick(10, 60);
  const fromLocal = (): Promise<void> => load.more(more, "the upstream again", isFrom("local/chat"), 20_000);
  const fromCloud = (): Promise<void> => load.more(more, "the other target", isFrom("cloud/claude-sonnet-4-6"), 20_000);
  await fromLocal();
  const start = await footprint(gateway);
  for (let round = 0; round < stage.pick(1, 3); round++) {
    near.cut();
    const alone = await ask(gateway.url, { model: "alone", text, stream: false });
    stage.count(alone, "nobody else there");
    // One that waits for a connection, or one that was told before that nobody is there.
    const label = /^error 50[34] (upstream_timeout|no_target_available)$/;
    stage.expect(label.test(alone.label), `nobody else there: ${alone.label}`);
    await fromCloud();
    near.heal();
    await fromLocal();

    far.cut();
    await until("Redis to be missed", isShared(0));
    await fromLocal();
    far.heal();
    await until("Redis again", isShared(1), 30_000);

    near.cut();
    far.cut();
    await fromCloud();
    near.heal();
    far.heal();
    await fromLocal();
    await until("Redis again", isShared(1), 30_000);
  }
  const seen = await load.stop();
  // Once it is known that nobody is there, nobody waits; who found out waited for the limits, and for Redis at most once.
  const slow = seen.filter(({ end, ms }) => end === "answered" && ms > 3_000 + redisMs + usualMs);
  stage.expect(slow.length === 0, `${slow.length} requests waited beyond the limits`);
  await expectNoLeak(stage, gateway, start);
}

const simulator = ({ address }: Network): string[] => ["--model", "chat", "--host", address, "--port", `${port}`];

const isFrom =
  (id: string) =>
  ({ end, target }: Seen): boolean =>
    end === "answered" && target === id;

async function startInside(stage: Stage, network: Network, ...command: string[]): Promise<void> {
  const [program, ...args] = network.command(...command);
  const child = new Child(program, args);
  stage.onEnd(() => child.stop());
  await child.until(({ stdout }) => (/"url"|ready to accept/i.test(stdout) ? true : undefined), "a server inside");
}
