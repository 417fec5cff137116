import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/lib/clock.ts";
import { Secret } from "../../src/lib/secret.ts";
import { openSharedRedis, type SharedRedis } from "../../src/stores/redis/shared-redis.ts";
import { hasRedis, RedisServer } from "../fixtures/redis-server.ts";
import { freshPrefix } from "../fixtures/shared-counters.ts";
import { describeWith } from "../fixtures/test-with.ts";

interface Opened extends SharedRedis {
  /** Resolves when it is up, or away. */
  until(isUp: boolean): Promise<void>;
  /** Resolves with the first of these texts that is heard. */
  hear(...texts: string[]): Promise<string>;
}

describeWith("redis", hasRedis, "what replicas tell and ask each other", () => {
  let server: RedisServer;
  const opened: Opened[] = [];
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.stop()));
  });
  afterAll(() => server.stop());

  async function open(prefix: string, replica: string): Promise<Opened> {
    const again: (() => void)[] = [];
    const wake = (): void => {
      for (const go of again.splice(0)) go();
    };
    const changed = (): Promise<void> => new Promise((resolve) => again.push(resolve));
    const url = new Secret(server.url);
    const base = { url, prefix, replica, timeoutMs: 200, clock: systemClock };
    const redis = await openSharedRedis({ ...base, changed: wake, emptied: () => {} });
    let heard: string[] = [];
    redis.onNews((text) => {
      heard.push(text);
      wake();
    });
    const one: Opened = {
      ...redis,
      async until(isUp) {
        while (redis.counters.isUp !== isUp) await changed();
      },
      async hear(...texts) {
        for (;;) {
          const found = heard.find((text) => texts.includes(text));
          heard = [];
          if (found !== undefined) return found;
          await changed();
        }
      },
    };
    opened.push(one);
    await one.until(true);
    return one;
  }

  async function pair(): Promise<[Opened, Opened]> {
    const prefix = freshPrefix();
    return Promise.all([open(prefix, "one"), open(prefix, "other")]);
  }

  /** Says it until it is heard: a subscription may take a moment longer than a connection. */
  async function tell(from: Opened, to: Opened, text: string): Promise<void> {
    let isHeard = false;
    const heard = to.hear(text).then(() => {
      isHeard = true;
    });
    while (!isHeard) {
      from.publish(text);
      await Promise.race([heard, from.first(`wait-${Math.floor(performance.now())}`, 10)]);
    }
  }

  test("one replica is the first with a key, and again when its time is over", async () => {
    const [one, other] = await pair();
    const answers = await Promise.all([one, other, one, other].map((each) => each.first("wake:vllm", 60_000)));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(await other.first("wake:another", 1)).toBe(true);
    while (!(await one.first("wake:another", 1)));
  });

  test("news reach the others, also after the server was gone, and stay within the prefix", async () => {
    const [one, other] = await pair();
    const [stranger] = await pair();
    let strange = 0;
    stranger.onNews(() => strange++);
    await tell(one, other, "before");
    await server.kill();
    await Promise.all([one.until(false), other.until(false)]);
    one.publish("lost");
    await server.restart();
    await Promise.all([one.until(true), other.until(true)]);
    await tell(one, other, "after");
    expect(strange).toBe(0);
  });

  test("without an answer every replica is the first: what must happen happens", async () => {
    const [one, other] = await pair();
    expect(await one.first("wake:vllm", 60_000)).toBe(true);
    server.pause();
    try {
      expect(await Promise.all([one.first("wake:vllm", 60_000), other.first("wake:vllm", 60_000)])).toEqual([
        true,
        true,
      ]);
      await Promise.all([one.until(false), other.until(false)]);
      expect(await other.first("wake:vllm", 60_000)).toBe(true);
    } finally {
      server.resume();
    }
    await Promise.all([one.until(true), other.until(true)]);
    expect(await other.first("wake:vllm", 60_000)).toBe(false);
  });
});
