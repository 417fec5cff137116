import { counterScripts } from "../redis/counter-scripts.ts";
import type { Connection } from "../redis/redis-connection.ts";

/** The channel to the process that started this worker, as far as counting goes. */
export interface CounterChannel {
  ask(op: "run" | "command", body: unknown): Promise<unknown>;
  onNews(listen: (text: string) => void): void;
  onLost(listen: () => void): void;
  readonly isOpen: boolean;
}

const names = new Map(Object.entries(counterScripts).map(([name, { sha }]) => [sha, name]));

/** What a `CounterHost` does for a worker, through the seam that Redis fills for replicas. */
export function parentConnection(channel: CounterChannel): Connection {
  return {
    run: ({ sha }, _key, args) => channel.ask("run", [names.get(sha), args]),
    command: (name, ...args) => channel.ask("command", [name, args]),
    onReady(listen) {
      if (channel.isOpen) listen();
    },
    onLost: (listen) => channel.onLost(() => listen("it is gone")),
    subscribe: (_channel, listen) => channel.onNews(listen),
    get isReady() {
      return channel.isOpen;
    },
    // There is one channel for the life of a worker.
    reset() {},
    close() {},
  };
}
