import type { Balance, Charge } from "../../ledger/counter-store.ts";
import type { CounterChange } from "./counter-change.ts";
import { counterName } from "./counter-name.ts";
import { counterScripts, type Script } from "./counter-scripts.ts";
import type { Connection } from "./redis-connection.ts";

/** Which operation of which session of this replica. */
export interface Ticket {
  readonly session: number;
  readonly seq: number;
}

/** `lost`: the session is over, and nothing was done. */
export type ReserveReply =
  | { readonly kind: "lost" }
  | { readonly kind: "ok"; readonly balances: readonly Balance[] }
  /** `freeStep` is the step of a sliding window whose leaving makes room. */
  | { readonly kind: "no"; readonly at: number; readonly balance: Balance; readonly freeStep: number | undefined };

export type ApplyReply = { readonly kind: "lost" } | { readonly kind: "ok"; readonly balances: readonly Balance[] };

export type OpenReply =
  | { readonly kind: "lost" }
  | { readonly kind: "ok"; readonly wasKnown: boolean; readonly done: ReadonlySet<number> };

/** A counter that changed, as it was then. */
export interface Touched extends Balance {
  readonly name: string;
  readonly ageMs: number;
}

export type SyncReply =
  | { readonly kind: "lost" }
  | {
      readonly kind: "ok";
      /** By the server's clock. */
      readonly atMs: number;
      readonly place: number;
      readonly replicas: number;
      readonly touched: readonly Touched[];
    };

export type ClaimReply = "begin" | "book" | "wait" | "booked";

/** The scripts as functions: one round trip each. */
export class CounterCommands {
  readonly #connection: Pick<Connection, "run">;
  readonly #key: string;
  readonly #replica: string;

  constructor(connection: Pick<Connection, "run">, prefix: string, replica: string) {
    this.#connection = connection;
    this.#key = `{${prefix}}:live`;
    this.#replica = replica;
  }

  /** `shiftMs`: how far the server's clock is ahead, for sliding windows. */
  async reserve(
    { session, seq }: Ticket,
    charges: readonly Charge[],
    nowMs: number,
    shiftMs: number,
  ): Promise<ReserveReply> {
    const args: (string | number)[] = [this.#replica, session, seq, nowMs + shiftMs];
    for (const { account, window, amount, limit, certain } of charges) {
      args.push(counterName(account, window), ...spanOf(window));
      args.push(Math.round(amount), Number.isFinite(limit) ? limit : "", certain ? 1 : 0);
    }
    const [kind, ...rest] = await this.#run(counterScripts.reserve, args);
    if (kind === "lost") return { kind };
    if (kind === "ok") return { kind, balances: balancesIn(rest) };
    const [at, settled, held, step] = rest;
    const freeStep = step === "" ? undefined : Number(step);
    return { kind: "no", at: Number(at), balance: { settled: Number(settled), held: Number(held) }, freeStep };
  }

  /** `forget`: what this replica holds is what these changes say, and no more. */
  async apply(
    { session, seq }: Ticket,
    changes: readonly CounterChange[],
    shiftMs: number,
    forget = false,
  ): Promise<ApplyReply> {
    const args: (string | number)[] = [this.#replica, session, seq, forget ? 1 : 0];
    for (const { account, window, atMs, settled, held } of changes) {
      const at = window.kind === "sliding" ? atMs + shiftMs : atMs;
      args.push(counterName(account, window), ...spanOf(window), at, Math.round(settled), Math.round(held));
    }
    const [kind, ...rest] = await this.#run(counterScripts.apply, args);
    return kind === "lost" ? { kind } : { kind: "ok", balances: balancesIn(rest) };
  }

  async open(session: number, unsure: readonly number[]): Promise<OpenReply> {
    const [known, ...done] = await this.#run(counterScripts.open, [this.#replica, session, ...unsure]);
    if (known === "lost") return { kind: "lost" };
    return { kind: "ok", wasKnown: Number(known) === 1, done: new Set(done.map(Number)) };
  }

  async sync(session: number, deadAfterMs: number, sinceMs: number): Promise<SyncReply> {
    const reply = await this.#run(counterScripts.sync, [this.#replica, session, deadAfterMs, sinceMs]);
    if (reply[0] === "lost") return { kind: "lost" };
    const touched: Touched[] = [];
    for (let i = 4; i + 3 < reply.length; i += 4) {
      const [ageMs = 0, settled = 0, held = 0] = reply.slice(i + 1, i + 4).map(Number);
      touched.push({ name: String(reply[i]), ageMs, settled, held });
    }
    return { kind: "ok", atMs: Number(reply[1]), place: Number(reply[2]), replicas: Number(reply[3]), touched };
  }

  async claim(account: string, counter: string, ledger: string): Promise<ClaimReply> {
    const [reply] = await this.#run(counterScripts.claim, [this.#replica, account, counter, ledger]);
    const known = (["begin", "book", "wait", "booked"] as const).find((name) => name === reply);
    if (known === undefined) throw new Error("the claim was answered with something else");
    return known;
  }

  async leave(): Promise<void> {
    await this.#run(counterScripts.leave, [this.#replica]);
  }

  async #run(script: Script, args: readonly (string | number)[]): Promise<readonly unknown[]> {
    const reply = await this.#connection.run(script, this.#key, args);
    return Array.isArray(reply) ? reply : [reply];
  }
}

function spanOf(window: Charge["window"]): [string, number] {
  return window.kind === "fixed" ? ["f", window.endMs] : ["s", window.lengthMs];
}

function balancesIn(flat: readonly unknown[]): Balance[] {
  const balances: Balance[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) balances.push({ settled: Number(flat[i]), held: Number(flat[i + 1]) });
  return balances;
}
