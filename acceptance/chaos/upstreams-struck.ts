import type { SimulatorProcess } from "../setup/simulator-process.ts";
import { numberedWords, type Seen } from "./ask.ts";
import { expectNoLeak, footprint } from "./footprint.ts";
import { type Load, startLoad } from "./load.ts";
import type { Stage } from "./stage.ts";

const text = numberedWords(10);
const local = { name: "local", flavour: "vllm", model: "chat" } as const;
const cloud = { name: "cloud", flavour: "anthropic", model: "claude-sonnet-4-6" } as const;
type Side = typeof local | typeof cloud;

const cooldownMs = 500;
/** From the moment an upstream is back until requests go there: its cool-down, extended by trials that failed, and a probe. */
const recoveryMs = 10_000;
const timeouts = { connectMs: 1_000, firstContentMs: 1_500, wholeMs: 2_500, idleMs: 1_500 };

/** Kills, pauses and brings back one upstream, then the other, then both, while requests go on. */
export async function upstreamsStruck(stage: Stage): Promise<void> {
  const running = new Map<Side, SimulatorProcess>();
  for (const side of [local, cloud]) running.set(side, await start(stage, side, "0"));
  const urlOf = (side: Side): string => running.get(side)?.url ?? "";
  const probed = { intervalMs: 200, timeoutMs: 500 };
  const gateway = await stage.gateway({
    upstreams: {
      local: { preset: "vllm", baseUrl: `${urlOf(local)}/v1`, health: probed, timeouts, models: [{ id: local.model }] },
      cloud: {
        preset: "anthropic",
        baseUrl: `${urlOf(cloud)}/v1`,
        health: probed,
        timeouts,
        models: [{ id: cloud.model }],
      },
    },
    models: {
      "local-first": { targets: [idOf(local), idOf(cloud)], fallback: [] },
      "cloud-first": { targets: [idOf(cloud), idOf(local)], fallback: [] },
    },
    routing: { backoffMs: 10, breaker: { failures: 3, cooldownMs, halfOpenTrials: 1 } },
  });
  const question = { text, paceMs: 4, clients: stage.pick(3, 8), limitMs: 15_000 };
  const loads = ["local-first", "cloud-first"].map((model) =>
    startLoad(stage, gateway.url, { ...question, model, name: model }),
  );
  const usual = async (): Promise<void> => {
    const [localFirst, cloudFirst] = loads as [Load, Load];
    await Promise.all([
      localFirst.more(stage.pick(5, 30), "the local upstream again", isFrom(local), recoveryMs),
      cloudFirst.more(stage.pick(5, 30), "the cloud upstream again", isFrom(cloud), recoveryMs),
    ]);
  };
  await usual();
  const start0 = await footprint(gateway);
  for (const struck of [[local], [cloud], [local, cloud]] as const) {
    for (const blow of ["SIGKILL", "SIGSTOP"] as const) {
      for (const side of struck) running.get(side)?.child.process.kill(blow);
      const other = struck.length === 2 ? undefined : struck[0] === local ? cloud : local;
      // Where one is left it answers for both; where none is, each request is told so.
      const wanted = other === undefined ? isError : isFrom(other);
      const what = other === undefined ? "errors" : `answers of ${other.name}`;
      // An error comes when the limits of both have passed, an answer soon.
      const count = other === undefined ? stage.pick(6, 20) : stage.pick(10, 60);
      await Promise.all(loads.map((load) => load.more(count, what, wanted, 40_000)));
      for (const side of struck) {
        if (blow === "SIGSTOP") running.get(side)?.child.process.kill("SIGCONT");
        else running.set(side, await start(stage, side, String(running.get(side)?.port)));
      }
      await usual();
    }
  }
  await Promise.all(loads.map((load) => load.stop()));
  await expectNoLeak(stage, gateway, start0);
}

const idOf = ({ name, model }: Side): string => `${name}/${model}`;
const isFrom =
  (side: Side) =>
  ({ end, target }: Seen): boolean =>
    end === "answered" && target === idOf(side);
const isError = ({ end }: Seen): boolean => end === "error" || end === "event";

function start(stage: Stage, { flavour, model }: Side, port: string): Promise<SimulatorProcess> {
  return stage.simulator("--flavour", flavour, "--model", model, "--port", port);
}
