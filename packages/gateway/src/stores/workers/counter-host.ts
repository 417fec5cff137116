import type { Charge, CountWindow } from "../../ledger/counter-store.ts";
import type { Clock } from "../../lib/clock.ts";
import { MemoryCounterStore } from "../memory/memory-counter-store.ts";
import type { counterScripts } from "../redis/counter-scripts.ts";

export type ScriptName = keyof typeof counterScripts;

type Value = string | number;

interface Hold {
  readonly window: CountWindow;
  amount: number;
}

/** One worker, as long as its channel stands. */
interface Member {
  /** The session that may write. */
  session: number;
  /** At `seq % length`, the seq of the operation done there last. */
  readonly done: Float64Array;
  readonly held: Map<string, Hold>;
}

/** Who counts a budget, and whose ledgers its counter includes. */
interface Claimed {
  readonly members: Set<string>;
  readonly ledgers: Map<string, string>;
}

const rememberedSeqs = 4_096;
/** Counters that changed lately, of which others are told; the oldest leave. */
const mostTouched = 1_000;
const mostFirsts = 10_000;

/**
 * The counters of one gateway's workers, in the memory of the process that started them. It does what the scripts of
 * `stores/redis` do, with the same arguments and answers, so that a worker counts here as a replica counts in Redis. A
 * worker whose channel closed is `gone` at once: nobody has to find it dead.
 */
export class CounterHost {
  readonly #clock: Clock;
  readonly #counters: MemoryCounterStore;
  readonly #members = new Map<string, Member>();
  readonly #touched = new Map<string, { atMs: number; readonly window: CountWindow }>();
  readonly #claims = new Map<string, Claimed>();
  /** When each key may come first again. */
  readonly #firsts = new Map<string, number>();
  readonly #publish: (text: string) => void;

  constructor(clock: Clock, publish: (text: string) => void) {
    this.#clock = clock;
    this.#publish = publish;
    this.#counters = new MemoryCounterStore();
  }

  /** @throws when there is no such script */
  run(script: ScriptName, args: readonly Value[]): readonly Value[] {
    switch (script) {
      case "reserve":
        return this.#reserve(args);
      case "apply":
        return this.#apply(args);
      case "open":
        return this.#open(args);
      case "sync":
        return this.#sync(args);
      case "claim":
        return [this.#claim(args)];
      case "leave":
        this.gone(String(args[0]));
        return [1];
    }
    throw new Error(`There is no script ${String(script)}.`);
  }

  /** The few plain commands of the same seam. @throws for any other */
  command(name: string, args: readonly Value[]): Value | null {
    const [key = "", field = "", value = ""] = args.map(String);
    const account = key.slice(key.indexOf(":b:") + 3);
    switch (name) {
      case "SET":
        return this.#isFirst(key, Number(args[4])) ? "OK" : null;
      case "PUBLISH":
        this.#publish(field);
        return 1;
      case "HSET":
        if (field.startsWith("m:")) this.#claimed(account).members.add(field.slice(2));
        else this.#claims.get(account)?.ledgers.set(field.slice(2), value);
        return 1;
      case "HDEL":
        this.#stopCounting(account, field.slice(2));
        return 1;
      case "PEXPIRE":
        return 1;
    }
    throw new Error(`There is no command ${name}.`);
  }

  /** Lets go of what a worker held. */
  gone(member: string): void {
    this.#release(member);
    this.#members.delete(member);
    for (const account of [...this.#claims.keys()]) this.#stopCounting(account, member);
  }

  #open([name, session, ...unsure]: readonly Value[]): readonly Value[] {
    const member = String(name);
    const known = this.#members.get(member);
    const at = Number(session);
    if (known !== undefined && known.session > at) return ["lost"];
    const opened = known ?? { session: at, done: new Float64Array(rememberedSeqs), held: new Map() };
    opened.session = at;
    this.#members.set(member, opened);
    const done = unsure.map(Number).filter((seq) => opened.done[seq % rememberedSeqs] === seq);
    return [known === undefined ? 0 : 1, ...done];
  }

  #reserve(args: readonly Value[]): readonly Value[] {
    const member = this.#writing(args);
    if (member === undefined) return ["lost"];
    const nowMs = Number(args[3]);
    const charges: Charge[] = [];
    for (let i = 4; i + 5 < args.length; i += 6) {
      const limit = args[i + 4] === "" ? Number.POSITIVE_INFINITY : Number(args[i + 4]);
      const window = windowOf(args[i + 1], args[i + 2]);
      const certain = Number(args[i + 5]) === 1;
      charges.push({ account: String(args[i]), window, amount: Number(args[i + 3]), limit, certain });
    }
    const reserved = this.#counters.reserve(charges, nowMs);
    if (!reserved.ok) {
      const { charge, balance, retryAfterMs } = reserved.refusal;
      const step = retryAfterMs === undefined ? "" : freeStep(charge.window, nowMs, retryAfterMs);
      return ["no", charges.indexOf(charge), balance.settled, balance.held, step];
    }
    for (const { account, window, amount, certain } of charges) {
      if (!certain) addHold(member, account, window, amount);
      this.#touch(account, window);
    }
    this.#note(member, Number(args[2]));
    return ["ok", ...reserved.reservation.balances.flatMap(({ settled, held }) => [settled, held])];
  }

  #apply(args: readonly Value[]): readonly Value[] {
    const member = this.#writing(args);
    if (member === undefined) return ["lost"];
    const seq = Number(args[2]);
    const isNew = member.done[seq % rememberedSeqs] !== seq;
    if (isNew && Number(args[3]) === 1) this.#release(String(args[0]));
    const answer: Value[] = ["ok"];
    for (let i = 4; i + 5 < args.length; i += 6) {
      const account = String(args[i]);
      const window = windowOf(args[i + 1], args[i + 2]);
      const [atMs, settled, asked] = [Number(args[i + 3]), Number(args[i + 4]), Number(args[i + 5])];
      let balance = this.#counters.read(account, window, atMs);
      if (isNew && (settled !== 0 || asked !== 0)) {
        // It cannot let go of more than it holds.
        const held = Math.max(asked, -(member.held.get(account)?.amount ?? 0));
        balance = this.#add(account, window, atMs, settled, held) ?? balance;
        addHold(member, account, window, held);
        this.#touch(account, window);
      }
      answer.push(balance.settled, balance.held);
    }
    this.#note(member, seq);
    return answer;
  }

  #sync([name, session, , since]: readonly Value[]): readonly Value[] {
    const member = this.#members.get(String(name));
    if (member === undefined || member.session !== Number(session)) return ["lost"];
    const nowMs = this.#clock.now();
    const all = [...this.#members.keys()].sort();
    const answer: Value[] = ["ok", nowMs, all.indexOf(String(name)), all.length];
    for (const [account, { atMs, window }] of this.#touched) {
      if (atMs < Number(since)) continue;
      const { settled, held } = this.#counters.read(account, window, nowMs);
      answer.push(account, Math.max(0, nowMs - atMs), settled, held);
    }
    return answer;
  }

  #claim([name, accountValue, counter, ledgerValue]: readonly Value[]): string {
    const [member, account, ledger] = [String(name), String(accountValue), String(ledgerValue)];
    const isNew = !this.#claims.has(account);
    if (isNew) this.#counters.forgetSettled(String(counter));
    const { members, ledgers } = this.#claimed(account);
    members.add(member);
    const state = ledgers.get(ledger);
    if (state === "done") return "booked";
    if (state !== undefined && state !== member && this.#members.has(state)) return "wait";
    ledgers.set(ledger, member);
    return isNew ? "begin" : "book";
  }

  #claimed(account: string): Claimed {
    let found = this.#claims.get(account);
    if (found === undefined) {
      found = { members: new Set(), ledgers: new Map() };
      this.#claims.set(account, found);
    }
    return found;
  }

  /** What nobody counts any more begins anew with its next claim. */
  #stopCounting(account: string, member: string): void {
    const claimed = this.#claims.get(account);
    claimed?.members.delete(member);
    if (claimed?.members.size === 0) this.#claims.delete(account);
  }

  #isFirst(key: string, ttlMs: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    if ((this.#firsts.get(key) ?? 0) > nowMs) return false;
    this.#firsts.delete(key);
    if (this.#firsts.size >= mostFirsts) {
      for (const [old, untilMs] of this.#firsts) if (untilMs <= nowMs) this.#firsts.delete(old);
      const oldest = this.#firsts.keys().next();
      if (this.#firsts.size >= mostFirsts && oldest.done !== true) this.#firsts.delete(oldest.value);
    }
    this.#firsts.set(key, nowMs + ttlMs);
    return true;
  }

  /** The worker that asks, if this is its session. */
  #writing([name, session]: readonly Value[]): Member | undefined {
    const member = this.#members.get(String(name));
    return member?.session === Number(session) ? member : undefined;
  }

  #note(member: Member, seq: number): void {
    member.done[seq % rememberedSeqs] = seq;
  }

  #add(account: string, window: CountWindow, atMs: number, settled: number, held: number) {
    const charge: Charge = { account, window, amount: -held, limit: Number.POSITIVE_INFINITY };
    return this.#counters.settle({ charges: [charge], atMs, balances: [] }, [settled])[0];
  }

  #release(name: string): void {
    const member = this.#members.get(name);
    if (member === undefined) return;
    const nowMs = this.#clock.now();
    for (const [account, { window, amount }] of member.held) {
      this.#add(account, window, nowMs, 0, -amount);
      this.#touch(account, window);
    }
    member.held.clear();
  }

  #touch(account: string, window: CountWindow): void {
    this.#touched.delete(account);
    this.#touched.set(account, { atMs: this.#clock.now(), window });
    if (this.#touched.size <= mostTouched) return;
    const oldest = this.#touched.keys().next();
    if (oldest.done !== true) this.#touched.delete(oldest.value);
  }
}

/** The name of a counter says its fixed window, so that one start serves all. */
function windowOf(kind: Value | undefined, span: Value | undefined): CountWindow {
  const ms = Number(span);
  return kind === "f" ? { kind: "fixed", startMs: 0, endMs: ms } : { kind: "sliding", lengthMs: ms };
}

/** The step of a sliding window whose leaving makes room, from the wait until then. */
function freeStep(window: CountWindow, nowMs: number, waitMs: number): Value {
  if (window.kind === "fixed") return "";
  return Math.round(((waitMs + nowMs - window.lengthMs) * 60) / window.lengthMs) - 1;
}

function addHold(member: Member, account: string, window: CountWindow, amount: number): void {
  const found = member.held.get(account);
  const now = (found?.amount ?? 0) + amount;
  if (now <= 0) member.held.delete(account);
  else if (found === undefined) member.held.set(account, { window, amount: now });
  else found.amount = now;
}
