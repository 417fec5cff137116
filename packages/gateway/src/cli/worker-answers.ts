import type { Gateway } from "../build-gateway.ts";
import { GatewayError } from "../core/errors.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";
import type { LedgerRow } from "../ledger/ledger-row.ts";
import { isObject } from "../lib/json.ts";
import type { ShadowResults } from "../pipeline/shadow-tally.ts";
import type { MetricsSnapshot } from "../sinks/prometheus/sum-metrics.ts";
import type { FileConfigControl } from "./file-config-control.ts";
import type { RunningConfig } from "./running-config.ts";
import { sumShadows } from "./sum-shadows.ts";
import type { WorkerLink } from "./worker-link.ts";

/** The parts of a worker that others ask. */
export interface WorkerParts {
  readonly gateway: Gateway;
  /** Resolves when what the directory says is in memory. */
  readonly changed: () => Promise<unknown>;
  readonly runningConfig: Pick<RunningConfig, "refresh">;
  readonly config: FileConfigControl | undefined;
  readonly alert: (error: GatewayError) => void;
}

/** Makes a worker one with the others: it follows what they change, and tells what it knows. */
export function answerWorkers(worker: WorkerLink, parts: WorkerParts): void {
  const { gateway, changed, runningConfig, config, alert } = parts;
  worker.on("changed", async () => {
    await changed();
  });
  worker.on("credentials", () => runningConfig.refresh());
  worker.on("config", async (body) => {
    if (!isObject(body) || config === undefined) return;
    try {
      await config.adopt(String(body["text"]), String(body["version"]));
      await changed();
    } catch (cause) {
      const message = "A worker cannot follow a change of the config; it is started again with it.";
      alert(new GatewayError("store_unavailable", message, { cause }));
      process.kill(process.pid, "SIGINT");
    }
  });
  worker.on("decision", (id) => gateway.findDecision(String(id)) ?? null);
  worker.on("shadow", (name) => gateway.shadowResults(String(name)) ?? null);
  worker.on("metrics", () => gateway.metrics.snapshot());
  let scrape: Promise<readonly unknown[]> | undefined;
  gateway.metrics.showTogether(async (own) => {
    // One at a time: what a parent that hangs was sent waits in memory.
    scrape ??= worker.gather("metrics", own).finally(() => {
      scrape = undefined;
    });
    return [own, ...((await scrape) as MetricsSnapshot[])];
  });
}

/** What a shadow's copies showed in all workers since each began. */
export async function addShadows(name: string, own: ShadowResults, worker: WorkerLink): Promise<ShadowResults> {
  const others = (await worker.gather("shadow", name).catch(() => [])) as (ShadowResults | null)[];
  return sumShadows([own, ...others.filter((results) => results !== null)]);
}

/** A decision that another worker has in memory. */
export async function findElsewhere(id: string, worker: WorkerLink | undefined): Promise<LedgerRow | undefined> {
  const answers = await worker?.gather("decision", id).catch(() => []);
  const found = answers?.find((record) => record !== null);
  return found === undefined ? undefined : { record: found as ExchangeRecord, orphaned: false };
}
