import { hasPostgres } from "../setup/postgres-server.ts";
import { hasRedis } from "../setup/redis-server.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { cutEverywhere } from "./cut-everywhere.ts";
import { databaseAway, diskFull } from "./ledger-away.ts";
import { hasMounts, hasNetworks } from "./network.ts";
import { partitions } from "./partitions.ts";
import { redisAway } from "./redis-away.ts";
import { replicaKilled } from "./replica-killed.ts";
import { slowClients } from "./slow-clients.ts";
import type { Stage } from "./stage.ts";
import { upstreamsStruck } from "./upstreams-struck.ts";

export type Tool = "redis" | "postgres" | "netns" | "mount" | "linux";

export interface Scenario {
  /** What is done, as a heading. */
  readonly name: string;
  /** What holds nevertheless, in plain words. */
  readonly promise: string;
  readonly needs: Tool;
  readonly run: (stage: Stage) => Promise<void>;
}

export const isHere: Readonly<Record<Tool, () => boolean>> = {
  redis: () => hasRedis,
  postgres: () => hasPostgres,
  netns: () => hasNetworks() && hasRedis,
  mount: () => hasMounts(tempDir),
  linux: () => process.platform === "linux",
};

export const scenarios: readonly Scenario[] = [
  {
    name: "A native stream is cut at each byte",
    promise: "The client hears of it; what it got is the beginning of the answer, and never looks like the whole.",
    needs: "linux",
    run: (stage) => cutEverywhere(stage, "native", false),
  },
  {
    name: "A translated stream is cut at each byte",
    promise: "The same.",
    needs: "linux",
    run: (stage) => cutEverywhere(stage, "translated", false),
  },
  {
    name: "A native stream is cut at each byte, with `afterCut: continue`",
    promise: "The client gets the whole answer, letter by letter, wherever the cut was.",
    needs: "linux",
    run: (stage) => cutEverywhere(stage, "native", true),
  },
  {
    name: "A translated stream is cut at each byte, with `afterCut: continue`",
    promise: "The same.",
    needs: "linux",
    run: (stage) => cutEverywhere(stage, "translated", true),
  },
  {
    name: "The local upstream, the cloud upstream and both are killed, paused and brought back",
    promise:
      "The one that is left answers. Where none is, each request is told so. Requests go to an upstream that is back as soon as a probe and its breaker's cool-down allow.",
    needs: "linux",
    run: upstreamsStruck,
  },
  {
    name: "One of two replicas is killed and started again",
    promise:
      "Only requests that it was serving break off. The ledger has one row for each request that reached an upstream.",
    needs: "postgres",
    run: replicaKilled,
  },
  {
    name: "Redis is paused, resumed, killed and started again empty",
    promise:
      "Every request is answered unless its limit is reached, none waits beyond `shared.timeoutMs`, and limits hold as the guide says.",
    needs: "redis",
    run: redisAway,
  },
  {
    name: "PostgreSQL is killed, frozen and brought back",
    promise: "Every request is answered, and has its one row when the database is back.",
    needs: "postgres",
    run: databaseAway,
  },
  {
    name: "The ledger's disk is full, `whenUnwritable: serve`",
    promise: "Every request is answered.",
    needs: "mount",
    run: (stage) => diskFull(stage, "serve"),
  },
  {
    name: "The ledger's disk is full, `whenUnwritable: refuse`",
    promise: "Requests get `ledger_unavailable` until there is room again; everything that was served has its row.",
    needs: "mount",
    run: (stage) => diskFull(stage, "refuse"),
  },
  {
    name: "Clients leave at any moment, read a byte a second or nothing, and send as slowly",
    promise: "No upstream works on for them, nothing is held for them, and others are served as ever.",
    needs: "linux",
    run: slowClients,
  },
  {
    name: "The network to the upstream, to Redis and to both swallows every packet",
    promise: "Another target answers, nobody waits beyond the limits, and all is used again once it heals.",
    needs: "netns",
    run: partitions,
  },
];
