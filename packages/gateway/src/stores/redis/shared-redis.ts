import type { Clock } from "../../lib/clock.ts";
import type { Secret } from "../../lib/secret.ts";
import { type Connection, connectRedis } from "./redis-connection.ts";
import { SharedCounterStore } from "./shared-counter-store.ts";

export interface SharedRedisOptions {
  readonly url: Secret;
  readonly prefix: string;
  readonly timeoutMs: number;
  /** How many there are while nobody could be asked; 1 unless given. */
  readonly replicas?: number;
  readonly replica: string;
  readonly clock: Clock;
  readonly changed: (isUp: boolean) => void;
  readonly emptied: () => void;
}

/** Everything that replicas share through one Redis. Nothing here waits for it longer than `timeoutMs`, or throws. */
export interface SharedRedis {
  readonly counters: SharedCounterStore;
  /**
   * Whether this replica is the first to come with this key within `ttlMs`. Without an answer each replica is: what must
   * happen happens, if more than once.
   */
  first(key: string, ttlMs: number): Promise<boolean>;
  /** Sends to all replicas, this one too; lost when Redis is away. */
  publish(text: string): void;
  onNews(listen: (text: string) => void): void;
  stop(): Promise<void>;
}

const connectionName = "fairlead";

export async function openSharedRedis(options: SharedRedisOptions): Promise<SharedRedis> {
  const { url } = options;
  // A connection that listens cannot ask.
  const [connection, listener] = await Promise.all([
    connectRedis(url, connectionName),
    connectRedis(url, `${connectionName}-news`),
  ]);
  return shareOver(connection, listener, options);
}

/** The same over connections that stand already, or will. */
export function shareOver(
  connection: Connection,
  listener: Connection,
  { prefix, timeoutMs, replicas, replica, clock, changed, emptied }: Omit<SharedRedisOptions, "url">,
): SharedRedis {
  const counters = new SharedCounterStore({
    connection,
    prefix,
    replica,
    timeoutMs,
    clock,
    changed,
    emptied,
    ...(replicas !== undefined && { replicas }),
  });
  const channel = `{${prefix}}:news`;
  // A listener cannot tell silence from a dead network: what makes the other connection begin anew holds for it too.
  let isStopped = false;
  connection.onLost(() => {
    if (!isStopped && listener !== connection && listener.isReady) listener.reset();
  });
  return {
    counters,
    first(key, ttlMs) {
      if (!counters.isUp) return Promise.resolve(true);
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const cancel = clock.after(timeoutMs, () => resolve(true));
      connection.command("SET", `{${prefix}}:first:${key}`, replica, "NX", "PX", Math.max(1, Math.ceil(ttlMs))).then(
        (answer) => resolve(answer === "OK"),
        () => resolve(true),
      );
      return promise.finally(cancel);
    },
    publish(text) {
      if (counters.isUp) connection.command("PUBLISH", channel, text).catch(() => {});
    },
    onNews: (listen) => listener.subscribe(channel, listen),
    async stop() {
      isStopped = true;
      await counters.stop();
      connection.close();
      listener.close();
    },
  };
}
