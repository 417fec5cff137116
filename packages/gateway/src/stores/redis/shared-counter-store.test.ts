import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import type { Charge } from "../../ledger/counter-store.ts";
import { Secret } from "../../lib/secret.ts";
import { connectRedis } from "./redis-connection.ts";
import { SharedCounterStore } from "./shared-counter-store.ts";

const perMinute = (limit: number): Charge => ({
  account: "requests",
  window: { kind: "sliding", lengthMs: 60_000 },
  amount: 1,
  limit,
  certain: true,
});

test("a replica that never reached the store goes by its part of what the operator says there are", async () => {
  const clock = new FakeClock();
  // Nobody listens there.
  const connection = await connectRedis(new Secret("redis://127.0.0.1:9"), "test");
  const store = new SharedCounterStore({ connection, prefix: "t", replica: "r", timeoutMs: 100, replicas: 3, clock });
  let allowed = 0;
  for (let i = 0; i < 30; i++) {
    const reserved = store.reserve([perMinute(30)], clock.now());
    // Nothing is waited for.
    expect(reserved).not.toBeInstanceOf(Promise);
    if (!(reserved instanceof Promise) && reserved.ok) allowed++;
  }
  expect(allowed).toBe(10);
  await store.stop();
  connection.close();
});
