import { afterAll, beforeAll } from "bun:test";
import { hasRedis, RedisServer } from "../fixtures/redis-server.ts";
import { openReplica, type SharedReplica } from "../fixtures/shared-counters.ts";
import { describeWith } from "../fixtures/test-with.ts";
import { counterStoreContract } from "./counter-store.ts";

describeWith("redis", hasRedis, "a counter store on Redis", () => {
  let server: RedisServer;
  const replicas: SharedReplica[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()));
    await server.stop();
  });
  counterStoreContract("Redis", async () => {
    const replica = await openReplica(server.url);
    replicas.push(replica);
    await replica.until(true);
    return replica.store;
  });
});
