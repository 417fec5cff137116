import type { Capability, DialectName } from "@fairlead/contract/names";
import type { Clock, EpochMs } from "../lib/clock.ts";
import { Hangup } from "../lib/hangup.ts";
import type { Decision, Exclusion, Features } from "./decision.ts";
import type { Deployment } from "./deployment.ts";
import type { GatewayError } from "./errors.ts";
import type { NanoDollars } from "./money.ts";
import type { Price } from "./price.ts";
import type { Principal } from "./principal.ts";
import type { RoutingWish } from "./routing-wish.ts";
import { noUsage, type ReportedUsage, type TokenUsage } from "./usage.ts";

/** How an exchange ended. */
export type Outcome = "ok" | "error" | "client_gone" | "interrupted";

/** What an upstream's answer has shown so far. */
export interface Progress {
  /** The last usage the upstream told. */
  readonly usage: ReportedUsage | undefined;
  readonly outputCharacters: number;
}

/** A request that no target was left for. */
export interface Refusal {
  readonly features: Features;
  readonly needs: readonly Capability[];
  readonly wish: RoutingWish;
  readonly exclusions: readonly Exclusion[];
}

/** One try at one target, as it will stand in the ledger. */
export interface Attempt {
  readonly target: Deployment;
  /** Undefined when unpriced. */
  readonly price: Price | undefined;
  readonly startedMs: number;
  /** Monotonic; undefined while the attempt runs. */
  endedMs: number | undefined;
  /** Monotonic time of the first content; undefined when none came. */
  firstContentMs: number | undefined;
  error: GatewayError | undefined;
  /** The answer while and after it comes; undefined while there is none. */
  progress: Progress | undefined;
  /** The request asked this target before. */
  readonly isAgain: boolean;
  /** Filled in when it ends. */
  usage: TokenUsage;
  /** `usage` is the gateway's own guess because the upstream never said. */
  usageEstimated: boolean;
  cost: NanoDollars | undefined;
}

/**
 * One client request from arrival to settlement: the only mutable object of the pipeline, owned by one request.
 * It settles exactly once.
 */
export class Exchange {
  readonly id: string;
  readonly dialect: DialectName;
  readonly clock: Clock;
  readonly startedAt: EpochMs;
  readonly startedMs: number;
  /** The client closing the connection; everything the exchange started listens to it. */
  readonly client = new Hangup<GatewayError>();
  /** Ids of the gateways that this request already passed. */
  readonly hops: readonly string[];

  principal: Principal | undefined;
  asked = "";
  stream = false;
  decision: Decision | undefined;
  /** What was left out of a plan that found no target: set where there is no decision. */
  refusal: Refusal | undefined;
  served: Deployment | undefined;
  /** In the order they began, but for the one that answered, which is last. */
  attempts: Attempt[] = [];
  /** The attempt that was started beside a late one. */
  hedge: Attempt | undefined;
  /** Attempts that went on where a stream broke off. */
  continuations: readonly Attempt[] = [];
  dropped: readonly string[] = [];
  tags: readonly string[] = [];
  /** Sum over the attempts, filled in by `settle`. */
  usage: TokenUsage = noUsage;
  /** Some of `usage` is the gateway's own guess. */
  usageEstimated = false;
  /** Sum over the attempts that have a price, filled in by `settle`; undefined when none has one. */
  cost: NanoDollars | undefined;
  /** Milliseconds of the gateway's own work before the answer's headers. */
  overheadMs = 0;
  status = 0;
  error: GatewayError | undefined;
  outcome: Outcome | undefined;

  #closers: (() => void)[] | undefined;
  #waitedMs = 0;
  #waits = 0;
  #waitingSinceMs = 0;

  constructor(init: { id: string; dialect: DialectName; clock: Clock; hops: readonly string[] }) {
    this.id = init.id;
    this.dialect = init.dialect;
    this.clock = init.clock;
    this.hops = init.hops;
    this.startedAt = init.clock.now();
    this.startedMs = init.clock.monotonicMs();
  }

  /** Calls `close` once as the exchange settles, when its cost is known. It must not throw. */
  whenSettled(close: () => void): void {
    this.#closers ??= [];
    this.#closers.push(close);
  }

  /** Called by `settle` alone. */
  callClosers(): void {
    if (this.#closers !== undefined) for (const close of this.#closers) close();
  }

  /** The client closed the connection: nobody is left to answer. */
  get isClientGone(): boolean {
    return this.client.reason?.code === "client_gone";
  }

  /** The target that was tried or meant first, when another one served. */
  get fallback(): { from: Deployment; why: string } | undefined {
    const from = this.decision?.firstChoice;
    if (from === undefined || this.served === undefined || from === this.served) return undefined;
    const excluded = this.decision?.exclusions.find((exclusion) => exclusion.target === from.id);
    const failed = this.attempts.find((attempt) => attempt.target === from && attempt.error);
    return { from, why: excluded?.reason ?? failed?.error?.code ?? this.decision?.reason ?? "unknown" };
  }

  /** Milliseconds of waits that are over. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /**
   * A wait begins for the client's body, an upstream or a pause: until `waited` the time is not the gateway's own. Waits
   * may overlap.
   */
  waits(nowMs = this.clock.monotonicMs()): void {
    if (this.#waits++ === 0) this.#waitingSinceMs = nowMs;
  }

  waited(): void {
    if (--this.#waits === 0) this.#waitedMs += this.clock.monotonicMs() - this.#waitingSinceMs;
  }

  /** Fixes the overhead at the moment the answer's headers are known. */
  markAnswered(): void {
    const nowMs = this.clock.monotonicMs();
    const waitingMs = this.#waits > 0 ? nowMs - this.#waitingSinceMs : 0;
    this.overheadMs = Math.max(0, nowMs - this.startedMs - this.#waitedMs - waitingMs);
  }
}
