import type { Deployment, Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Wake } from "../core/wake.ts";
import type { Clock } from "../lib/clock.ts";
import type { Hangup } from "../lib/hangup.ts";
import type { LiveState } from "./live-state.ts";
import { mayServe, type WakePhase } from "./readiness.ts";
import { isKeptWarm } from "./wake-windows.ts";

/** How a wait for a model ended. */
export type WaitEnd = "ready" | "failed" | "late";

export interface WakerDeps {
  readonly live: LiveState;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
  /** Calls a hook, or calls it off. @throws GatewayError for the operator */
  readonly call: (action: "wake" | "sleep", target: Deployment, wake: Wake, signal: AbortSignal) => Promise<void>;
  /** Probes an upstream now and tells live state what it found. Must not reject. */
  readonly probe: (upstream: Upstream) => Promise<void>;
  /** Told once of each failure. */
  readonly alert: (error: GatewayError) => void;
  /**
   * Whether this gateway is the one of several that may do what the key names, for so long; one that may not only watches.
   * Always, unless given. A rejection counts as yes.
   */
  readonly singleFlight?: ((key: string, ttlMs: number) => Promise<boolean>) | undefined;
}

/** How often a model that is being woken is probed. */
const watchMs = 500;
const tickMs = 1_000;
/** How long a request that went elsewhere is a reason to wake the model. */
const demandMs = 60_000;
/** Pauses between wake-ups that fail double up to this. */
const longestRetryMs = 600_000;
/** Requests that may wait for one model; more go on as if they had no patience. */
const mostWaiting = 1_000;
/** How long other gateways leave a call to the one that makes it. */
const singleFlightMs = 10_000;
/** How long requests that still run may keep a model from its sleep. */
const longestDozeMs = 30_000;

/** What one hook wakes: all that a server has, or one model. */
interface Unit {
  readonly key: string;
  targets: readonly Deployment[];
  wake: Wake;
  waiting: number;
  readonly waiters: Set<(end: WaitEnd) => void>;
  /** Set while a wake-up runs. */
  isWaking: boolean;
  failures: number;
  /** Monotonic time before which no other wake-up begins. */
  retryAtMs: number;
  /** Set while it is being put to sleep; `wanted` tells that somebody asked meanwhile. */
  dozing: { wanted: boolean } | undefined;
  /** Whether there is a hook to call off. */
  isHeld: boolean;
  /** Monotonic. */
  calledOffMs: number;
}

/**
 * Wakes deployments that are cold, one call however many ask, and watches until they are there; keeps them awake in their
 * windows and puts them to sleep when nobody asks. Whoever waits may leave without ending the wake-up. Outlives configs.
 */
export class Waker {
  readonly #deps: WakerDeps;
  readonly #units = new Map<string, Unit>();
  readonly #startedMs: number;
  readonly #abort = new AbortController();
  #stopTick: (() => void) | undefined;

  constructor(deps: WakerDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.monotonicMs();
  }

  /** Takes over the deployments of the config in force. */
  follow(deployments: readonly Deployment[]): void {
    const found = new Map<string, { targets: Deployment[]; wake: Wake }>();
    for (const target of deployments) {
      const { wake } = target.upstream;
      if (wake === undefined) continue;
      const key = keyOf(target, wake);
      const known = found.get(key);
      if (known === undefined) found.set(key, { targets: [target], wake });
      else known.targets.push(target);
    }
    for (const [key, unit] of this.#units) {
      if (found.has(key)) continue;
      this.#units.delete(key);
      this.#finish(unit, "failed");
    }
    for (const [key, { targets, wake }] of found) {
      const unit = this.#units.get(key);
      if (unit === undefined) this.#units.set(key, newUnit(key, targets, wake, this.#startedMs));
      else {
        unit.targets = targets;
        unit.wake = wake;
      }
    }
    if (this.#stopTick === undefined && this.#units.size > 0) this.#tick();
  }

  /** Somebody wants a deployment: wakes it unless that is under way, or has just failed. Returns at once. */
  want(target: Deployment): void {
    const unit = this.#unitOf(target);
    if (unit !== undefined) this.#wake(unit);
  }

  /**
   * Has a deployment woken and waits until it is ready, at most `ms`. Says `failed` at once while another wake-up is not due,
   * and `late` when too many wait.
   * @throws whatever the client hung up with
   */
  ready<Reason>(target: Deployment, ms: number, client: Hangup<Reason>): Promise<WaitEnd> {
    const { live, clock } = this.#deps;
    const unit = this.#unitOf(target);
    if (unit === undefined) return Promise.resolve("failed");
    this.#wake(unit);
    if (!unit.isWaking) return Promise.resolve(this.#isReady(unit) ? "ready" : "failed");
    if (unit.waiting >= mostWaiting) return Promise.resolve("late");
    unit.waiting++;
    const endDemand = live.readinessState(target).demand.wait(clock.monotonicMs());
    return new Promise<WaitEnd>((resolve, reject) => {
      let unlisten = (): void => {};
      const over = (settle: () => void): void => {
        if (!unit.waiters.delete(end)) return;
        unit.waiting--;
        cancel();
        unlisten();
        endDemand();
        settle();
      };
      const end = (how: WaitEnd): void => over(() => resolve(how));
      unit.waiters.add(end);
      const cancel = clock.after(ms, () => end("late"));
      unlisten = client.listen((reason) => over(() => reject(reason)));
    });
  }

  /** When asking again is likely to help: what is left of a usual cold start, or of the pause after a failure. */
  retryAfterMs(target: Deployment): number {
    const { live, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const unit = this.#unitOf(target);
    if (unit !== undefined && !unit.isWaking && unit.retryAtMs > nowMs) return unit.retryAtMs - nowMs;
    const { coldStartMs = 10_000, sinceMs } = live.readinessState(target);
    return Math.max(1_000, coldStartMs - (unit?.isWaking === true ? nowMs - sinceMs : 0));
  }

  /** Ends background work and calls; whoever waits is told that it failed. */
  stop(): void {
    this.#abort.abort(new GatewayError("draining", "This gateway is shutting down."));
    this.#stopTick?.();
    this.#stopTick = () => {};
    for (const unit of this.#units.values()) this.#finish(unit, "failed");
    this.#units.clear();
  }

  #unitOf(target: Deployment): Unit | undefined {
    const { wake } = target.upstream;
    return wake === undefined ? undefined : this.#units.get(keyOf(target, wake));
  }

  #wake(unit: Unit): void {
    const { live, clock } = this.#deps;
    const [first] = unit.targets;
    if (unit.isWaking || first === undefined || this.#abort.signal.aborted) return;
    if (unit.dozing !== undefined) unit.dozing.wanted = true;
    if (live.isDrained(first.upstream.name)) return;
    if (unit.dozing === undefined && (this.#isReady(unit) || clock.monotonicMs() < unit.retryAtMs)) return;
    unit.isWaking = true;
    void this.#run(unit);
  }

  /** One wake-up, from its call to readiness or failure. Never rejects. */
  async #run(unit: Unit): Promise<void> {
    const { live, clock } = this.#deps;
    const startedMs = clock.monotonicMs();
    const stopped = this.#abort.signal;
    while (unit.dozing !== undefined && !stopped.aborted) await this.#pause(watchMs / 5);
    this.#setPhase(unit, undefined);
    if (this.#isReady(unit)) {
      // Its sleep was called off in time.
      unit.isWaking = false;
      this.#finish(unit, "ready");
      return;
    }
    this.#setPhase(unit, "waking");
    unit.isHeld = true;
    const abort = new AbortController();
    const ended = (): void => abort.abort(stopped.reason);
    stopped.addEventListener("abort", ended, { once: true });
    let failure: GatewayError | undefined;
    let called = false;
    const call = this.#call(unit, abort.signal)
      .catch((thrown: unknown) => {
        failure = GatewayError.from(thrown);
      })
      .then(() => {
        called = true;
        stopped.removeEventListener("abort", ended);
      });
    for (let looks = 1; ; looks++) {
      const { upstream } = unit.targets[0]!;
      if (this.#units.get(unit.key) !== unit || live.isDrained(upstream.name) || stopped.aborted) {
        this.#setPhase(unit, undefined);
        this.#finish(unit, "failed");
        abort.abort(new GatewayError("draining", "Nobody may use what is woken here any more."));
        break;
      }
      await this.#deps.probe(upstream);
      const nowMs = clock.monotonicMs();
      if (this.#isReady(unit)) {
        // What the first look finds was there already.
        this.#woken(unit, looks === 1 ? undefined : nowMs - startedMs);
        break;
      }
      if (nowMs - startedMs >= unit.wake.timeoutMs) {
        failure ??= late(unit, nowMs - startedMs);
      }
      if (failure !== undefined) {
        this.#failed(unit, failure);
        abort.abort(failure);
        break;
      }
      const pause = this.#pause(watchMs * (0.8 + 0.4 * this.#deps.fraction()));
      // An answer is a reason to look at once; it comes once.
      await (called ? pause : Promise.race([pause, call]));
    }
    unit.isWaking = false;
    for (const target of unit.targets) live.readiness(target, clock.monotonicMs());
  }

  /** Calls the hook, unless another gateway does. */
  async #call(unit: Unit, signal: AbortSignal): Promise<void> {
    const { singleFlight, call } = this.#deps;
    const target = unit.targets[0]!;
    const ttlMs = Math.min(singleFlightMs, unit.wake.retryMs / 2);
    const isOurs = singleFlight === undefined || (await singleFlight(`wake:${unit.key}`, ttlMs).catch(() => true));
    if (isOurs) await call("wake", target, unit.wake, signal);
  }

  #woken(unit: Unit, ms: number | undefined): void {
    unit.failures = 0;
    unit.retryAtMs = 0;
    this.#setPhase(unit, undefined);
    if (ms !== undefined) for (const target of unit.targets) this.#deps.live.readinessState(target).noteColdStart(ms);
    this.#finish(unit, "ready");
  }

  #failed(unit: Unit, error: GatewayError): void {
    const { clock, alert } = this.#deps;
    const pauseMs = unit.wake.retryMs * 2 ** Math.min(unit.failures, 16);
    unit.failures++;
    unit.retryAtMs = clock.monotonicMs() + Math.max(unit.wake.retryMs, Math.min(pauseMs, longestRetryMs));
    this.#setPhase(unit, "failed");
    this.#finish(unit, "failed");
    alert(error);
  }

  #finish(unit: Unit, end: WaitEnd): void {
    for (const waiter of [...unit.waiters]) waiter(end);
  }

  #setPhase(unit: Unit, phase: WakePhase | undefined): void {
    const { live, clock } = this.#deps;
    for (const target of unit.targets) {
      live.readinessState(target).phase = phase;
      live.readiness(target, clock.monotonicMs());
    }
  }

  #isReady({ targets }: Unit): boolean {
    const { live, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    // `unknown` is not enough here: the wait is for a proof.
    return targets.some((target) => live.readiness(target, nowMs) === "ready");
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#deps.clock.after(ms, resolve));
  }

  /** Looks after windows and idleness, once a second. */
  #tick(): void {
    for (const unit of this.#units.values()) this.#lookAfter(unit);
    this.#stopTick = this.#deps.clock.after(tickMs, () => this.#tick());
  }

  #lookAfter(unit: Unit): void {
    const { live, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const isReady = this.#isReady(unit);
    if (isReady && !unit.isWaking && unit.failures > 0) {
      // It came back by itself.
      unit.failures = 0;
      unit.retryAtMs = 0;
      this.#setPhase(unit, undefined);
    }
    const isCold = unit.targets.every((target) => !mayServe(live.readiness(target, nowMs)));
    if (isKeptWarm(unit.wake.keepWarm, clock.now())) {
      if (isCold || unit.dozing !== undefined) this.#wake(unit);
      return;
    }
    // Somebody who met it cold by surprise, or before a wake-up failed, still wants it.
    const sinceMs = Math.max(unit.calledOffMs, nowMs - demandMs);
    const wants = unit.targets.some((target) => (live.readinessState(target).demand.lastMs ?? 0) > sinceMs);
    if (isCold && wants) this.#wake(unit);
    const { sleepAfterMs, sleeps } = unit.wake;
    const isBusy = unit.isWaking || unit.dozing !== undefined || !unit.isHeld;
    if (sleepAfterMs === undefined || isBusy || (sleeps && !isReady)) return;
    if (nowMs - this.#lastWantedMs(unit, nowMs) >= sleepAfterMs) void this.#callOff(unit);
  }

  /** Monotonic time at which somebody last wanted any of its models, as far as it is known. */
  #lastWantedMs({ targets, calledOffMs }: Unit, nowMs: number): number {
    const { live } = this.#deps;
    let lastMs = calledOffMs;
    for (const target of targets) {
      const state = live.readinessState(target);
      const { inFlight, lastBegunMs = 0 } = live.deployment(target);
      if (inFlight > 0 || live.engine(target.upstream.name).foreign(nowMs) > 0) return nowMs;
      lastMs = Math.max(lastMs, state.sinceMs, state.lastServedMs, lastBegunMs, state.demand.lastMs ?? 0);
    }
    return lastMs;
  }

  /** Puts it to sleep, or lets go of it. Never rejects. */
  async #callOff(unit: Unit): Promise<void> {
    const { live, clock, call, alert, singleFlight } = this.#deps;
    const target = unit.targets[0]!;
    const { wake } = unit;
    const doze = { wanted: false };
    unit.dozing = doze;
    if (wake.sleeps) this.#setPhase(unit, "dozing");
    try {
      const startedMs = clock.monotonicMs();
      while (unit.targets.some((each) => live.deployment(each).inFlight > 0)) {
        if (clock.monotonicMs() - startedMs > longestDozeMs) doze.wanted = true;
        if (doze.wanted) break;
        await this.#pause(watchMs / 5);
      }
      const ttlMs = Math.min(singleFlightMs, wake.retryMs / 2);
      const isOurs = singleFlight === undefined || (await singleFlight(`sleep:${unit.key}`, ttlMs).catch(() => true));
      if (!doze.wanted && isOurs) {
        await call("sleep", target, wake, this.#abort.signal);
        unit.isHeld = wake.sleeps;
        if (wake.sleeps) live.markCold(target.upstream.name, clock.monotonicMs());
      }
    } catch (thrown) {
      if (!this.#abort.signal.aborted) alert(GatewayError.from(thrown));
    } finally {
      unit.calledOffMs = clock.monotonicMs();
      unit.dozing = undefined;
      if (wake.sleeps && !unit.isWaking) this.#setPhase(unit, undefined);
    }
  }
}

function keyOf(target: Deployment, wake: Wake): string {
  return wake.covers === "server" ? target.upstream.name : target.id;
}

function newUnit(key: string, targets: readonly Deployment[], wake: Wake, startedMs: number): Unit {
  return {
    key,
    targets,
    wake,
    waiting: 0,
    waiters: new Set(),
    isWaking: false,
    failures: 0,
    retryAtMs: 0,
    dozing: undefined,
    // A process before this one may have left something to call off.
    isHeld: true,
    calledOffMs: startedMs,
  };
}

function late({ key, wake }: Unit, ms: number): GatewayError {
  const seconds = Math.round(ms / 1000);
  const text = `\`${key}\` was not ready ${seconds} s after its wake-up (\`wake.timeoutMs\` is ${wake.timeoutMs}).`;
  return new GatewayError("model_loading", text, { target: key });
}
