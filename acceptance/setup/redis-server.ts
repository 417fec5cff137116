import { createConnection } from "node:net";
import { RedisServer } from "../../packages/gateway/test/fixtures/redis-server.ts";
import { afterAll } from "./after-all.ts";

export { hasRedis } from "../../packages/gateway/test/fixtures/redis-server.ts";

const closing = new Set<() => unknown>();

/** Starts a real Redis that keeps nothing on disk; it is stopped when the test file ends. */
export async function startRedis(): Promise<RedisServer> {
  const server = await RedisServer.start();
  closing.add(() => server.stop());
  return server;
}

/** Everything that is told on a channel from now on, as it comes over the wire. */
export interface Overheard {
  readonly text: () => string;
  /** Resolves when something like this was told. */
  hear(pattern: RegExp): Promise<void>;
}

/** Listens to a channel like any replica. */
export async function overhear(url: string, channel: string): Promise<Overheard> {
  const { hostname, port } = new URL(url);
  const socket = createConnection({ host: hostname, port: Number(port) });
  closing.add(() => socket.destroy());
  let heard = "";
  const waiting = new Set<() => void>();
  socket.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
    for (const again of waiting) again();
  });
  const hear = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const again = (): void => {
        if (!pattern.test(heard)) return;
        waiting.delete(again);
        resolve();
      };
      waiting.add(again);
      again();
    });
  socket.write(`SUBSCRIBE ${channel}\r\n`);
  await hear(/subscribe/);
  return { text: () => heard, hear };
}

afterAll(async () => {
  await Promise.all([...closing].map((close) => close()));
  closing.clear();
});
