import type { Redis } from "iovalkey";
import type { Secret } from "../../lib/secret.ts";
import type { Script } from "./counter-scripts.ts";

/** One connection to the server. Commands are done in the order they were sent, or not at all. */
export interface Connection {
  /** Rejects at once without a connection; otherwise waits for as long as the server takes. */
  run(script: Script, key: string, args: readonly (string | number)[]): Promise<unknown>;
  command(name: string, ...args: (string | number)[]): Promise<unknown>;
  /** Called each time a connection stands; at once if one does. */
  onReady(listen: () => void): void;
  /** Called each time it is lost. */
  onLost(listen: (why: string) => void): void;
  /** From then on this connection only listens, also after it was lost. */
  subscribe(channel: string, listen: (text: string) => void): void;
  readonly isReady: boolean;
  /** Lets go of a connection that is silent; another is made in the background. */
  reset(): void;
  close(): void;
}

const connectTimeoutMs = 3_000;
const longestRetryMs = 1_000;

/** Connects in the background, now and whenever the connection is lost: never throws, whatever the server does. */
export async function connectRedis(url: Secret, name: string): Promise<Connection> {
  // Loading the client costs every start some 30 ms, so only one that shares anything does.
  const { Redis } = await import("iovalkey");
  const redis: Redis = new Redis(url.reveal(), {
    lazyConnect: true,
    connectionName: name,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    connectTimeout: connectTimeoutMs,
    keepAlive: 10_000,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), longestRetryMs),
  });
  let why = "the connection was lost";
  redis.on("error", (error: Error) => {
    why = error.message;
  });
  redis.connect().catch(() => {});
  return {
    async run({ text, sha }, key, args) {
      try {
        return await redis.evalsha(sha, 1, key, ...args);
      } catch (thrown) {
        if (!(thrown instanceof Error) || !thrown.message.startsWith("NOSCRIPT")) throw thrown;
        return redis.eval(text, 1, key, ...args);
      }
    },
    command: (command, ...args) => redis.call(command, ...args),
    onReady(listen) {
      redis.on("ready", listen);
      if (redis.status === "ready") listen();
    },
    onLost(listen) {
      redis.on("close", () => listen(why));
    },
    subscribe(channel, listen) {
      redis.on("message", (_: string, text: string) => listen(text));
      const begin = (): void => void redis.subscribe(channel).catch(() => {});
      redis.on("ready", begin);
      if (redis.status === "ready") begin();
    },
    get isReady() {
      return redis.status === "ready";
    },
    reset: () => redis.disconnect(true),
    close: () => redis.disconnect(),
  };
}
