import { type RoutingReason, routingReasons } from "@fairlead/contract/names";
import type { Deployment, DeploymentId } from "../core/deployment.ts";
import type { Clock } from "../lib/clock.ts";
import { isObject } from "../lib/json.ts";
import type { LiveState } from "./live-state.ts";

export interface LiveNewsDeps {
  readonly live: LiveState;
  /** This replica's name: its own news come back to it. */
  readonly replica: string;
  readonly clock: Clock;
  readonly deployments: () => readonly Deployment[];
  /** Takes one message to all replicas, or loses it. */
  readonly publish: (text: string) => void;
}

/** News wait so long for others to travel with them. */
const gatherMs = 50;
/** Most of one kind in one message; the oldest are left out. */
const mostOfAKind = 500;
const mostCharacters = 200_000;
const longestCoolMs = 60_000;
/** Another version may mean other things by the same words. */
const version = 1;

interface Cooled {
  readonly ms: number;
  readonly reason: RoutingReason;
}

interface Turn {
  readonly target: DeploymentId;
  readonly promptTokens: number;
}

/**
 * Tells other replicas what this one learned of targets, and learns from them: breakers that opened, cool-downs, where
 * conversations went, what an operator drained. No prompt and no key is in it. Hints only: any message may be lost, late or doubled.
 */
export class LiveNews {
  readonly #deps: LiveNewsDeps;
  readonly #opened = new Map<DeploymentId, number>();
  readonly #cooled = new Map<DeploymentId, Cooled>();
  readonly #turns = new Map<number, Turn>();
  readonly #drained = new Map<string, boolean>();
  #cancel: (() => void) | undefined;

  constructor(deps: LiveNewsDeps) {
    this.#deps = deps;
    const { live, clock } = deps;
    live.onOpened = (target, untilMs) => this.#add(this.#opened, target, untilMs - clock.monotonicMs());
    live.onCooled = (target, ms, reason) => this.#add(this.#cooled, target, { ms, reason });
    live.onDrained = (upstream, isDrained) => this.#add(this.#drained, upstream, isDrained);
    live.conversations.onNoted = (hash, target, promptTokens) => this.#add(this.#turns, hash, { target, promptTokens });
  }

  /** A message of any replica, of any version. What is not understood is left out. */
  receive(text: string): void {
    if (text.length > mostCharacters) return;
    const message = parsed(text);
    if (!isObject(message)) return;
    const { v, from: replica, opened, cooled, turns, drained } = message;
    if (v !== version || replica === this.#deps.replica) return;
    const { live, clock } = this.#deps;
    const known = new Map(this.#deps.deployments().map((target) => [target.id as string, target]));
    const nowMs = clock.monotonicMs();
    const targetIn = (id: unknown): Deployment | undefined => (typeof id === "string" ? known.get(id) : undefined);
    for (const [id, ms] of entriesOf(opened)) {
      const target = targetIn(id);
      if (target !== undefined && isWhole(ms)) live.deployment(target).breaker.suspect();
    }
    for (const [id, ms, reason] of entriesOf(cooled)) {
      const target = targetIn(id);
      const why = routingReasons.find((name) => name === reason);
      if (target === undefined || !isWhole(ms) || why === undefined) continue;
      const state = live.deployment(target);
      const untilMs = nowMs + Math.min(ms, longestCoolMs);
      if (untilMs <= state.coolUntilMs) continue;
      state.coolUntilMs = untilMs;
      state.coolReason = why;
    }
    const upstreams = new Set(this.#deps.deployments().map(({ upstream }) => upstream.name));
    for (const [name, isDrained] of entriesOf(drained)) {
      if (typeof name === "string" && upstreams.has(name)) live.followDrained(name, isDrained === true);
    }
    for (const [hash, id, tokens] of entriesOf(turns)) {
      const target = targetIn(id);
      if (target !== undefined && isWhole(hash) && isWhole(tokens)) {
        live.conversations.adopt(hash, target.id, tokens, nowMs);
      }
    }
  }

  stop(): void {
    this.#cancel?.();
    const { live } = this.#deps;
    live.onOpened = undefined;
    live.onCooled = undefined;
    live.onDrained = undefined;
    live.conversations.onNoted = undefined;
  }

  #add<K, V>(kind: Map<K, V>, key: K, value: V): void {
    kind.delete(key);
    kind.set(key, value);
    if (kind.size > mostOfAKind) {
      const oldest = kind.keys().next();
      if (oldest.done !== true) kind.delete(oldest.value);
    }
    this.#cancel ??= this.#deps.clock.after(gatherMs, () => this.#publish());
  }

  #publish(): void {
    this.#cancel = undefined;
    const message = {
      v: version,
      from: this.#deps.replica,
      opened: [...this.#opened].map(([id, ms]) => [id, Math.max(0, Math.round(ms))]),
      cooled: [...this.#cooled].map(([id, { ms, reason }]) => [id, Math.round(ms), reason]),
      drained: [...this.#drained],
      turns: [...this.#turns].map(([hash, { target, promptTokens }]) => [hash, target, promptTokens]),
    };
    this.#opened.clear();
    this.#cooled.clear();
    this.#turns.clear();
    this.#drained.clear();
    this.#deps.publish(JSON.stringify(message));
  }
}

const isWhole = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function entriesOf(list: unknown): unknown[][] {
  return Array.isArray(list) ? list.slice(0, mostOfAKind).filter((entry) => Array.isArray(entry)) : [];
}
