import { GatewayError } from "../core/errors.ts";
import { systemClock } from "../lib/clock.ts";
import { shareOver } from "../stores/redis/shared-redis.ts";
import { parentConnection } from "../stores/workers/parent-connection.ts";
import { meetAt, type Shared, type SharedDeps } from "./open-shared.ts";
import { WorkerChannel } from "./worker-channel.ts";
import type { ConfigInForce, WorkerOrders } from "./worker-orders.ts";

/** Longest that a request waits for the process that counts. */
const countMs = 250;
/** A worker that was not told what to do by then was not started by a supervisor. */
const ordersMs = 10_000;

/** Longest that anything else waits for the parent. */
const answerMs = 6_000;

/** @throws GatewayError `store_unavailable` */
async function answerOf(answer: Promise<unknown>): Promise<unknown> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = systemClock.after(answerMs, () => reject(new Error("no answer in time")));
  try {
    return await Promise.race([answer, late]);
  } catch (cause) {
    const message = "The process that connects this gateway's workers does not answer.";
    throw new GatewayError("store_unavailable", message, { cause });
  } finally {
    cancel();
  }
}

/** A worker's ties to the process that started it, and through that to the other workers. */
export class WorkerLink {
  readonly orders: WorkerOrders;
  readonly #channel: WorkerChannel;
  readonly #lost: (() => void)[] = [];
  #news: (text: string) => void = () => {};
  #announce: Promise<unknown>;

  private constructor(orders: WorkerOrders, channel: WorkerChannel) {
    this.orders = orders;
    this.#channel = channel;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#announce = promise;
    channel.on("announce", resolve);
    channel.on("news", (text) => this.#news(String(text)));
    process.on("disconnect", () => {
      channel.close("the parent process is gone");
      for (const listen of this.#lost) listen();
      resolve(undefined);
    });
  }

  /** Waits for orders. Undefined in a process that no supervisor started. */
  static async join(): Promise<WorkerLink | undefined> {
    const send = process.send?.bind(process);
    if (send === undefined) return undefined;
    const channel = new WorkerChannel((frames) => void send(frames));
    const { promise, resolve, reject } = Promise.withResolvers<WorkerOrders>();
    channel.on("orders", (orders) => resolve(orders as WorkerOrders));
    process.on("message", (message) => channel.receive(message));
    process.once("disconnect", () => reject(new Error("The parent process is gone.")));
    const timer = setTimeout(() => reject(new Error("The parent process gives no orders.")), ordersMs);
    const link = new WorkerLink(await promise, channel);
    clearTimeout(timer);
    return link;
  }

  /** Counters, news and first-comes of all workers. */
  openShared(deps: SharedDeps): Promise<Shared> {
    const { count } = this.orders;
    const channel = this.#channel;
    const connection = parentConnection({
      ask: (op, body) => channel.ask(op, body),
      onNews: (listen) => {
        this.#news = listen;
      },
      onLost: (listen) => this.onLost(listen),
      get isOpen() {
        return channel.isOpen;
      },
    });
    return meetAt(
      {
        name: "The process that counts for all workers",
        finding: `workers: ${count}, which share limits and budgets`,
        open: async (session) =>
          shareOver(connection, connection, { ...session, prefix: "workers", timeoutMs: countMs }),
      },
      deps,
    );
  }

  /** The parent is gone, so nothing is common any more. Called at once where it is gone already. */
  onLost(listen: () => void): void {
    if (this.#channel.isOpen) this.#lost.push(listen);
    else listen();
  }

  onHangup(listen: () => void): void {
    this.#channel.on("hangup", listen);
  }

  /** Answers what other workers ask. */
  on(topic: string, answer: (body: unknown) => unknown): void {
    this.#channel.on(topic, answer);
  }

  /**
   * Asks all other workers; resolves, in no order, with what those answered that could in time.
   * @throws GatewayError `store_unavailable` when the parent does not answer
   */
  async gather(topic: string, body: unknown = null): Promise<readonly unknown[]> {
    const answers = await answerOf(this.#channel.ask("gather", { topic, body }));
    return Array.isArray(answers) ? answers : [];
  }

  /**
   * Runs a change while no other worker runs one.
   * @throws what it throws, or GatewayError `store_unavailable` when the parent does not answer
   */
  async alone<T>(change: () => Promise<T>): Promise<T> {
    const turn = this.#channel.ask("lock");
    try {
      await answerOf(turn);
    } catch (thrown) {
      // A turn that comes too late is given on.
      turn.then(
        () => this.#channel.tell("unlock"),
        () => {},
      );
      throw thrown;
    }
    try {
      return await change();
    } finally {
      this.#channel.tell("unlock");
    }
  }

  /** Resolves when every worker goes by this config, or will as soon as it can. */
  async inForce(config: ConfigInForce): Promise<void> {
    await answerOf(this.#channel.ask("in-force", config)).catch(() => {});
  }

  /** Says that this worker serves. Resolves, for the one that tells, when all do. */
  async ready(): Promise<void> {
    this.#channel.tell("ready");
    if (this.orders.tells) await this.#announce;
  }
}
