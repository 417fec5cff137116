import type { FairleadConfig } from "@fairlead/contract/config-schema";
import type { Logger } from "pino";
import { systemClock } from "../lib/clock.ts";
import { isObject } from "../lib/json.ts";
import { makeLogger } from "../sinks/log/make-logger.ts";
import { CounterHost, type ScriptName } from "../stores/workers/counter-host.ts";
import type { Loaded, ServeOptions } from "./load.ts";
import { startError } from "./run-gateway.ts";
import { StartError } from "./start-error.ts";
import type { StopSignal, StopSignals } from "./stop-signals.ts";
import { WorkerChannel } from "./worker-channel.ts";
import { WorkerLock } from "./worker-lock.ts";
import { WorkerMetrics } from "./worker-metrics.ts";
import { type ConfigInForce, type WorkerOrders, workerVariable } from "./worker-orders.ts";
import { restartPause } from "./worker-restarts.ts";

export interface SuperviseOptions {
  readonly run: ServeOptions & { readonly demo: boolean; readonly json: boolean };
  readonly env: NodeJS.ProcessEnv;
  readonly isTerminal: boolean;
  readonly signals: StopSignals;
}

interface Worker {
  readonly index: number;
  readonly process: Bun.Subprocess;
  readonly channel: WorkerChannel;
  /** It serves. */
  readonly ready: Promise<void>;
  readyMs: number | undefined;
  /** Name under which it counts. */
  replica: string | undefined;
  heardMs: number;
  /** The config that it was started with, or has been told of since. */
  version: string | undefined;
}

const gatherMs = { config: 5_000, credentials: 5_000, others: 1_000 } as const;
/** Who is silent for longer is told no news: they would pile up. */
const silentMs = 5_000;
/** After the time for a drain, a worker that still runs is killed. */
const killAfterMs = 5_000;

/**
 * Runs several workers that serve one port, and keeps what they have in common: counters, news, and who may change the
 * config. It serves nothing itself. Returns the exit code when all have ended.
 * @throws StartError
 */
export async function supervise(loaded: Loaded, options: SuperviseOptions): Promise<number> {
  check(loaded, options);
  const { config } = loaded;
  const held = await holdPort(config.server);
  const supervisor = new Supervisor(loaded, held.port, options);
  try {
    return await supervisor.run(held.release);
  } finally {
    held.release();
  }
}

function check({ store }: Loaded, { run }: SuperviseOptions): void {
  if (run.demo) throw new StartError("`server.workers`: expected 1 for the demo, whose upstreams live in one process.");
  if (process.platform !== "linux") {
    throw new StartError("`server.workers`: expected 1 on this system; only Linux spreads one port over processes.");
  }
  if (store?.storage.database.kind === "memory") {
    throw new StartError(
      "`server.workers`: expected 1 where `storage.url` is `memory`: workers share keys and the ledger by what is kept.",
    );
  }
}

/** Makes sure that the port is this gateway's alone, and keeps it until the workers have it. */
async function holdPort({ host, port }: FairleadConfig["server"]): Promise<{ port: number; release: () => void }> {
  const answer = (): Response =>
    Response.json({ status: "starting" }, { status: 503, headers: { connection: "close", "retry-after": "1" } });
  try {
    // By itself first: a port that is shared with others would be shared with any process of this user.
    const alone = Bun.serve({ hostname: host, port, fetch: answer });
    const taken = alone.port ?? port;
    await alone.stop(true);
    const holder = Bun.serve({ hostname: host, port: taken, reusePort: true, fetch: answer });
    return { port: taken, release: () => void holder.stop(true) };
  } catch (thrown) {
    throw await startError(thrown, host, port);
  }
}

class Supervisor {
  readonly #loaded: Loaded;
  readonly #port: number;
  readonly #count: number;
  readonly #options: SuperviseOptions;
  readonly #logger: Logger;
  readonly #workers = new Map<number, Worker>();
  readonly #failures = new Map<number, number>();
  readonly #restarts = new Set<() => void>();
  readonly #counters: CounterHost;
  readonly #lock = new WorkerLock<Worker>();
  readonly #metrics = new WorkerMetrics<Worker>();
  readonly #ended = Promise.withResolvers<number>();
  #inForce: ConfigInForce | undefined;
  #isServing = false;
  /** Undefined while it goes on; then the exit code. */
  #ending: number | undefined;

  constructor(loaded: Loaded, port: number, options: SuperviseOptions) {
    const { server, logging } = loaded.config;
    const { run, isTerminal } = options;
    this.#loaded = loaded;
    this.#port = port;
    this.#count = server.workers;
    this.#options = options;
    this.#logger = makeLogger(logging.level, run.json || !isTerminal ? "json" : "text", false).logger;
    this.#counters = new CounterHost(systemClock, (text) => this.#tellAll(text));
  }

  async run(release: () => void): Promise<number> {
    const { signals, isTerminal } = this.#options;
    signals.listen((signal) => this.#stop(signal));
    // Whatever ends this process, by a second signal too, ends the workers.
    process.once("exit", () => {
      for (const worker of this.#workers.values()) worker.process.kill("SIGKILL");
    });
    if (!isTerminal) process.on("SIGHUP", () => this.#first?.channel.tell("hangup"));
    // The first one by itself: it makes what is missing in the storage, and tells what is wrong with the config.
    const first = this.#start(0);
    await Promise.race([first.ready, this.#ended.promise]);
    const others = Array.from({ length: this.#count - 1 }, (_, i) =>
      this.#ending === undefined ? this.#start(i + 1).ready : undefined,
    );
    await Promise.race([Promise.all(others), this.#ended.promise]);
    release();
    this.#isServing = true;
    if (this.#ending === undefined) first.channel.tell("announce");
    return this.#ended.promise;
  }

  /** The one that does what is done once. */
  get #first(): Worker | undefined {
    return this.#serving().sort((a, b) => a.index - b.index)[0];
  }

  #serving(): Worker[] {
    return [...this.#workers.values()].filter(({ readyMs }) => readyMs !== undefined);
  }

  #start(index: number): Worker {
    const child = Bun.spawn([process.execPath, Bun.main, ...process.argv.slice(2)], {
      env: { ...this.#options.env, [workerVariable]: String(index) },
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "json",
      ipc: (message) => {
        worker.heardMs = performance.now();
        worker.channel.receive(message);
      },
      onExit: (_child, code, signal) => this.#exited(worker, code, signal),
    });
    const { promise: ready, resolve: isReady } = Promise.withResolvers<void>();
    const worker: Worker = {
      index,
      process: child,
      channel: new WorkerChannel((frames) => void child.send(frames)),
      ready,
      readyMs: undefined,
      replica: undefined,
      heardMs: performance.now(),
      version: this.#inForce?.version,
    };
    this.#workers.set(index, worker);
    this.#answer(worker, isReady);
    const orders: WorkerOrders = {
      index,
      count: this.#count,
      port: this.#port,
      given: this.#loaded.given,
      inForce: this.#inForce ?? null,
      tells: index === 0 && !this.#isServing && !this.#failures.has(index),
    };
    worker.channel.tell("orders", orders);
    return worker;
  }

  #answer(worker: Worker, isReady: () => void): void {
    const { channel } = worker;
    channel.on("run", (body) => {
      const [script, args] = body as [ScriptName, (string | number)[]];
      worker.replica ??= String(args[0]);
      return this.#counters.run(script, args);
    });
    channel.on("command", (body) => {
      const [name, args] = body as [string, (string | number)[]];
      return this.#counters.command(name, args);
    });
    channel.on("gather", (body) => this.#gather(worker, body));
    channel.on("lock", () => this.#lock.take(worker));
    channel.on("unlock", () => this.#lock.leave(worker));
    channel.on("in-force", async (body) => {
      this.#inForce = body as ConfigInForce;
      worker.version = this.#inForce.version;
      await this.#gather(worker, { topic: "config", body });
    });
    channel.on("ready", () => {
      worker.readyMs = performance.now();
      isReady();
      // What the others were told while it began.
      if (this.#inForce !== undefined && this.#inForce.version !== worker.version) {
        worker.version = this.#inForce.version;
        channel.tell("config", this.#inForce);
      } else channel.tell("changed");
    });
  }

  async #gather(from: Worker, body: unknown): Promise<readonly unknown[]> {
    if (!isObject(body) || typeof body["topic"] !== "string") return [];
    const { topic, body: question = null } = body;
    const ms = topic === "config" || topic === "credentials" ? gatherMs[topic] : gatherMs.others;
    const others = this.#serving().filter((worker) => worker !== from);
    if (topic === "metrics") this.#metrics.note(from, question);
    const answers = await Promise.all(
      others.map(async (worker) => {
        if (topic === "config") worker.version = this.#inForce?.version;
        const answer = await answered(worker.channel.ask(topic, question), ms);
        return topic === "metrics" ? this.#metrics.note(worker, answer) : answer;
      }),
    );
    if (topic === "metrics") answers.push(this.#metrics.left);
    return answers.filter((answer) => answer !== undefined);
  }

  #tellAll(text: string): void {
    const nowMs = performance.now();
    for (const { channel, heardMs } of this.#serving()) if (nowMs - heardMs < silentMs) channel.tell("news", text);
  }

  #exited(worker: Worker, code: number | null, signal: number | string | null): void {
    const { index, channel, replica, readyMs } = worker;
    channel.close("this worker ended");
    if (replica !== undefined) this.#counters.gone(replica);
    this.#lock.gone(worker);
    this.#metrics.gone(worker);
    if (this.#workers.get(index) === worker) this.#workers.delete(index);
    if (this.#ending !== undefined) {
      if (code !== 0 && code !== null && readyMs !== undefined) this.#ending ||= code;
      if (this.#workers.size === 0) this.#ended.resolve(this.#ending);
      return;
    }
    // Nobody was served yet: the worker has told why on standard error.
    if (!this.#isServing) {
      this.#endWith(code || 1);
      return;
    }
    const upMs = readyMs === undefined ? 0 : performance.now() - readyMs;
    const { failures, pauseMs } = restartPause(this.#failures.get(index) ?? 0, upMs);
    this.#failures.set(index, failures);
    const ending = signal === null ? `code ${code}` : `signal ${signal}`;
    if (pauseMs === undefined) {
      this.#logger.error({ event: "worker_ended", worker: index, ending }, "A worker ends at once each time.");
      this.#endWith(code || 1);
      return;
    }
    this.#logger.warn({ event: "worker_ended", worker: index, ending }, "A worker ended and is started again.");
    const cancel = systemClock.after(pauseMs, () => {
      this.#restarts.delete(cancel);
      this.#start(index);
    });
    this.#restarts.add(cancel);
  }

  /** What the workers go by now. */
  get #config(): FairleadConfig {
    try {
      return (this.#inForce === undefined ? this.#loaded : this.#loaded.reread(this.#inForce.text)).config;
    } catch {
      return this.#loaded.config;
    }
  }

  #endWith(code: number): void {
    this.#ending = code;
    this.#end("SIGTERM");
  }

  #stop(signal: StopSignal): void {
    this.#ending ??= 0;
    this.#end(signal);
  }

  #end(signal: StopSignal): void {
    for (const cancel of this.#restarts) cancel();
    for (const worker of this.#workers.values()) worker.process.kill(signal);
    if (this.#workers.size === 0) this.#ended.resolve(this.#ending ?? 0);
    const { drainDelayMs, drainTimeoutMs } = this.#config.server;
    systemClock.after(drainDelayMs + drainTimeoutMs + killAfterMs, () => {
      for (const worker of this.#workers.values()) worker.process.kill("SIGKILL");
    });
  }
}

/** Undefined when there is no answer in time. */
async function answered(answer: Promise<unknown>, ms: number): Promise<unknown> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const cancel = systemClock.after(ms, () => resolve(undefined));
  return Promise.race([answer.catch(() => undefined), late]).finally(cancel);
}
