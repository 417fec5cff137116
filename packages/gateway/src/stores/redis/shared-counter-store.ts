import type { Balance, Charge, CounterStore, CountWindow, Reservation, Reserved } from "../../ledger/counter-store.ts";
import type { Clock } from "../../lib/clock.ts";
import type { CounterChange } from "./counter-change.ts";
import { type ClaimReply, CounterCommands, type ReserveReply, type SyncReply } from "./counter-commands.ts";
import { counterName } from "./counter-name.ts";
import { LocalSlices } from "./local-slices.ts";
import { OwnCounts } from "./own-counts.ts";
import type { Connection } from "./redis-connection.ts";

export interface SharedCounterDeps {
  readonly connection: Connection;
  readonly prefix: string;
  /** This process's own name, unlike all others'. */
  readonly replica: string;
  /** Longest that a request waits. */
  readonly timeoutMs: number;
  /** How many replicas there are while nobody could be asked; 1 unless given. */
  readonly replicas?: number;
  readonly clock: Clock;
  /** The store went away, or is back. */
  readonly changed?: (isUp: boolean) => void;
  /** It is back and has lost everything, budgets too. */
  readonly emptied?: () => void;
}

/** One operation that was sent and not answered yet. */
interface Flight {
  readonly sentMs: number;
  /** Answers whoever waits for it from what this replica knows. */
  readonly answerHere: () => void;
  /** How the account changes once it is known that the store did it, or did not. */
  readonly wasDone?: () => void;
  readonly wasNotDone?: () => void;
}

/** More operations than this in flight mean that the store cannot keep up. */
const maxFlights = 2_000;
const syncMs = 500;
/** A replica that was not heard for so long holds nothing any more. */
const deadAfterMs = 12_000;
const firstPauseMs = 50;
const longestPauseMs = 2_000;
/** A connection that is silent for so long is given up. */
const silentMs = 10_000;
/** How long a replica that comes back waits for an answer. */
const joinMs = 1_000;
/** As in the script that claims. */
const countingMs = 40 * 86_400_000;
/** Changes in one script, which keeps the server from everything else. */
const batchSize = 500;
/** Clocks that differ by less are close enough. */
const clockGraceMs = 2_000;

/**
 * Counters in Redis that all replicas share, in sessions. While a session lasts, each operation is one script. The first
 * one that is not answered in time ends it, and every operation of it that is still on its way will do nothing: from then
 * on nobody waits, and this replica counts by itself, within its share of what was left (`LocalSlices`). A new session,
 * tried in the background, first learns which operations of the last one were done, then tells the store what this
 * replica holds and settled since. So each amount is counted once, however late or lost a command was.
 */
export class SharedCounterStore implements CounterStore {
  readonly #deps: SharedCounterDeps;
  readonly #commands: CounterCommands;
  readonly #own = new OwnCounts();
  readonly #here = new LocalSlices();
  readonly #flights = new Map<number, Flight>();
  /** Operations of the last session whose outcome is not known. */
  #unsure = new Map<number, Flight>();
  /** Accounts whose history comes from the ledger when the store has lost it, each with the ledger that this replica booked. */
  readonly #claimed = new Map<string, string | undefined>();
  #isUp = false;
  #fault = "it has not answered yet";
  #session = 0;
  #seq = 0;
  #hasJoined = false;
  /** It came back without what it knew, which is not told of yet. */
  #isEmptied = false;
  #isJoining = false;
  #isStopped = false;
  #pauseMs = firstPauseMs;
  #lastHeardMs: number;
  #sinceMs = 0;
  #replicas = 1;
  #askedAtMs = 0;
  #shiftMs = 0;
  #cancelWatch: (() => void) | undefined;
  #cancelNext: () => void = () => {};

  constructor(deps: SharedCounterDeps) {
    this.#deps = deps;
    this.#here.setShare({ place: 0, replicas: deps.replicas ?? 1 });
    this.#commands = new CounterCommands(deps.connection, deps.prefix, deps.replica);
    this.#lastHeardMs = deps.clock.monotonicMs();
    deps.connection.onReady(() => {
      this.#pauseMs = firstPauseMs;
      this.#lastHeardMs = deps.clock.monotonicMs();
      void this.#join();
    });
    deps.connection.onLost((why) => this.#leave(why));
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Why it is away. */
  get fault(): string {
    return this.#fault;
  }

  /** Living replicas when this one last asked, and when that was (epoch milliseconds; 0 for never). */
  get company(): { readonly replicas: number; readonly askedAtMs: number } {
    return { replicas: this.#replicas, askedAtMs: this.#askedAtMs };
  }

  /** Sums that the store has not been told, and operations in flight; for tests of what is left behind. */
  get size(): number {
    return this.#own.size + this.#flights.size + this.#unsure.size;
  }

  reserve(charges: readonly Charge[], nowMs: number): Reserved | Promise<Reserved> {
    if (!this.#canSend()) return this.#reserveHere(charges, nowMs);
    return new Promise((resolve) => {
      const shiftMs = this.#shiftMs;
      void this.#send(
        {
          answerHere: () => resolve(this.#reserveHere(charges, nowMs)),
          // What it holds is forgotten with its session; what was settled at once has been counted here again.
          wasDone: () => this.#oweCertain(charges, nowMs, -1),
        },
        (ticket) => this.#commands.reserve(ticket, charges, nowMs, shiftMs),
        (reply) => resolve(this.#reserved(reply, charges, nowMs, shiftMs)),
      );
    });
  }

  settle(reservation: Reservation, actuals: readonly number[]): readonly Balance[] | Promise<readonly Balance[]> {
    const { charges, atMs } = reservation;
    const changes = charges.map(({ account, window, amount, certain }, i): CounterChange => {
      const settled = certain ? 0 : (actuals[i] ?? 0);
      return { account, window, atMs, settled, held: certain ? 0 : -amount };
    });
    for (const { account, window, held } of changes) this.#own.hold(account, window, held);
    const settleHere = (): readonly Balance[] => this.#here.settle(reservation, actuals, this.#deps.clock.now());
    if (!this.#canSend()) {
      this.#oweAll(changes);
      return settleHere();
    }
    return new Promise((resolve) => this.#sendChanges(changes, resolve, () => resolve(settleHere())));
  }

  book(account: string, window: CountWindow, amount: number, atMs: number): void {
    const change: CounterChange = { account, window, atMs, settled: amount, held: 0 };
    const bookHere = (): void => this.#here.book(account, window, amount, atMs);
    if (this.#canSend()) this.#sendChanges([change], () => {}, bookHere);
    else {
      this.#oweAll([change]);
      bookHere();
    }
  }

  read(account: string, window: CountWindow, nowMs: number): Balance | Promise<Balance> {
    const readHere = (): Balance => this.#here.read(account, window, nowMs);
    if (!this.#canSend()) return readHere();
    const nothing: CounterChange = { account, window, atMs: nowMs, settled: 0, held: 0 };
    return new Promise((resolve) =>
      this.#sendChanges(
        [nothing],
        ([balance]) => resolve(balance ?? readHere()),
        () => resolve(readHere()),
      ),
    );
  }

  /**
   * Who tells the store what was spent on this account before. A counter that no living replica counts is emptied
   * (`begin`), and one ledger's history is booked once, whichever replica is first. `away`: ask again later.
   */
  async claim(account: string, window: CountWindow, ledger: string): Promise<ClaimReply | "away"> {
    this.#claimed.set(account, undefined);
    if (!this.#isUp) return "away";
    try {
      return await this.#within(this.#commands.claim(account, counterName(account, window), ledger), joinMs);
    } catch {
      return "away";
    }
  }

  /** What was claimed is booked; the store is told when it is back. */
  booked(account: string, ledger: string): void {
    if (this.#claimed.has(account)) this.#claimed.set(account, ledger);
    this.#quietly("HSET", this.#budgetKey(account), `l:${ledger}`, "done");
  }

  /** This replica counts the account no more. When none does, it begins anew with its next claim. */
  unclaim(account: string): void {
    this.#claimed.delete(account);
    this.#quietly("HDEL", this.#budgetKey(account), `m:${this.#deps.replica}`);
  }

  /** Leaves the others what this replica held. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelNext();
    this.#cancelWatch?.();
    const wasUp = this.#isUp;
    this.#isUp = false;
    for (const flight of this.#flights.values()) flight.answerHere();
    this.#flights.clear();
    if (wasUp) await this.#within(this.#commands.leave(), this.#deps.timeoutMs).catch(() => {});
  }

  #budgetKey(account: string): string {
    return `{${this.#deps.prefix}}:b:${account}`;
  }

  #stayCounting(account: string, ledger: string | undefined): void {
    const key = this.#budgetKey(account);
    this.#quietly("HSET", key, `m:${this.#deps.replica}`, "1");
    if (ledger !== undefined) this.#quietly("HSET", key, `l:${ledger}`, "done");
    this.#quietly("PEXPIRE", key, String(countingMs));
  }

  #quietly(command: string, ...args: string[]): void {
    if (this.#isUp) this.#deps.connection.command(command, ...args).catch(() => {});
  }

  #canSend(): boolean {
    if (!this.#isUp) return false;
    if (this.#flights.size < maxFlights) return true;
    this.#leave(`it has ${maxFlights} operations to answer`);
    return false;
  }

  /** Sends an operation of this session. Whatever becomes of it, `landed` or the flight's `answerHere` is called, once. */
  async #send<R extends { readonly kind: string }>(
    flight: Omit<Flight, "sentMs">,
    command: (ticket: { session: number; seq: number }) => Promise<R>,
    landed: (reply: R) => void,
  ): Promise<void> {
    const seq = ++this.#seq;
    const sent: Flight = { ...flight, sentMs: this.#deps.clock.monotonicMs() };
    this.#flights.set(seq, sent);
    this.#watch();
    try {
      const reply = await command({ session: this.#session, seq });
      // One that was given up is looked into when the next session begins.
      if (this.#flights.get(seq) !== sent) return;
      this.#lastHeardMs = this.#deps.clock.monotonicMs();
      if (reply.kind === "lost") this.#leave("it took this replica for dead");
      else {
        this.#flights.delete(seq);
        landed(reply);
      }
    } catch (thrown) {
      if (this.#flights.get(seq) === sent) this.#leave(textOf(thrown));
    }
  }

  #sendChanges(
    changes: readonly CounterChange[],
    landed: (balances: readonly Balance[]) => void,
    answerHere: () => void,
    forget = false,
  ): void {
    const shiftMs = this.#shiftMs;
    void this.#send(
      { answerHere, wasNotDone: () => this.#oweAll(changes) },
      (ticket) => this.#commands.apply(ticket, changes, shiftMs, forget),
      (reply) => {
        const balances = reply.kind === "ok" ? reply.balances : [];
        this.#see(changes, balances);
        landed(balances);
      },
    );
  }

  #see(counters: readonly Pick<Charge, "account" | "window">[], balances: readonly Balance[]): void {
    const nowMs = this.#deps.clock.now();
    for (const [i, { account, window }] of counters.entries()) {
      const balance = balances[i];
      if (balance !== undefined) this.#here.see(counterName(account, window), balance, nowMs);
    }
  }

  #reserved(reply: ReserveReply, charges: readonly Charge[], nowMs: number, shiftMs: number): Reserved {
    if (reply.kind === "lost") return this.#reserveHere(charges, nowMs);
    if (reply.kind === "ok") {
      for (const { account, window, amount, certain } of charges) {
        if (!certain) this.#own.hold(account, window, amount);
      }
      this.#see(charges, reply.balances);
      return { ok: true, reservation: { charges, atMs: nowMs, balances: reply.balances } };
    }
    const { at, balance, freeStep } = reply;
    const charge = charges[at] as Charge;
    this.#see([charge], [balance]);
    return {
      ok: false,
      refusal: { charge, balance, retryAfterMs: this.#waitFor(charges, at, freeStep, nowMs, shiftMs) },
    };
  }

  #waitFor(
    charges: readonly Charge[],
    at: number,
    freeStep: number | undefined,
    nowMs: number,
    shiftMs: number,
  ): number | undefined {
    const { account, window, limit } = charges[at] as Charge;
    if (window.kind === "sliding") {
      if (freeStep === undefined) return undefined;
      return Math.max(0, ((freeStep + 1) * window.lengthMs) / 60 + window.lengthMs - nowMs - shiftMs);
    }
    let asked = 0;
    for (const charge of charges.slice(0, at + 1)) if (charge.account === account) asked += charge.amount;
    return asked > limit ? undefined : Math.max(0, window.endMs - nowMs);
  }

  #reserveHere(charges: readonly Charge[], nowMs: number): Reserved {
    const reserved = this.#here.reserve(charges, nowMs);
    if (reserved.ok) {
      this.#oweCertain(charges, nowMs, 1);
      for (const { account, window, amount, certain } of charges) {
        if (!certain) this.#own.hold(account, window, amount);
      }
    }
    return reserved;
  }

  #oweCertain(charges: readonly Charge[], atMs: number, sign: 1 | -1): void {
    for (const { account, window, amount, certain } of charges) {
      if (certain) this.#own.owe(account, window, sign * amount, atMs);
    }
  }

  #oweAll(changes: readonly CounterChange[]): void {
    for (const { account, window, settled, atMs } of changes) this.#own.owe(account, window, settled, atMs);
  }

  /** One timer for all that is in flight: the oldest is over time first. */
  #watch(): void {
    if (this.#cancelWatch !== undefined) return;
    const { clock, timeoutMs } = this.#deps;
    const oldest = this.#flights.values().next();
    if (oldest.done === true) return;
    const restMs = Math.max(0, oldest.value.sentMs + timeoutMs - clock.monotonicMs());
    this.#cancelWatch = clock.after(restMs, () => {
      // What came while this process was busy is read before anything is called late.
      this.#cancelWatch = clock.after(1, () => {
        this.#cancelWatch = undefined;
        const first = this.#flights.values().next();
        if (first.done === true) return;
        if (clock.monotonicMs() - first.value.sentMs >= timeoutMs) this.#leave(`no answer within ${timeoutMs} ms`);
        else this.#watch();
      });
    });
  }

  /** Ends the session: nobody waits for the store from now on. */
  #leave(why: string): void {
    if (this.#isStopped) return;
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#fault = why;
    if (wasUp) this.#here.begin();
    const flights = [...this.#flights];
    this.#flights.clear();
    for (const [seq, flight] of flights) {
      this.#unsure.set(seq, flight);
      flight.answerHere();
    }
    if (!wasUp) return;
    this.#deps.changed?.(false);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#isStopped) return;
    this.#cancelNext();
    this.#cancelNext = this.#deps.clock.after(this.#pauseMs, () => void this.#join());
    this.#pauseMs = Math.min(this.#pauseMs * 2, longestPauseMs);
  }

  /** Begins a session, in the background. */
  async #join(): Promise<void> {
    const { connection, clock } = this.#deps;
    if (this.#isJoining || this.#isUp || this.#isStopped) return;
    // A new connection calls again.
    if (!connection.isReady) return;
    this.#isJoining = true;
    this.#cancelNext();
    try {
      await this.#openSession();
      this.#pauseMs = firstPauseMs;
    } catch (thrown) {
      this.#fault = textOf(thrown);
      if (clock.monotonicMs() - this.#lastHeardMs > silentMs) {
        this.#lastHeardMs = clock.monotonicMs();
        connection.reset();
      }
      this.#retryLater();
    } finally {
      this.#isJoining = false;
    }
  }

  async #openSession(): Promise<void> {
    const { clock } = this.#deps;
    const session = ++this.#session;
    const asked = new Map(this.#unsure);
    const opening = this.#commands.open(session, [...asked.keys()]);
    // An answer that comes too late still says that the store is back.
    opening.then(
      () => this.#heard(),
      () => {},
    );
    const opened = await this.#within(opening, joinMs);
    if (opened.kind === "lost") throw new Error("another session is newer");
    for (const [seq, flight] of asked) {
      this.#unsure.delete(seq);
      if (opened.done.has(seq)) flight.wasDone?.();
      else flight.wasNotDone?.();
    }
    // Kept until a session stands: one that fails here makes this replica known to the next.
    this.#isEmptied ||= this.#hasJoined && !opened.wasKnown;
    const isEmptied = this.#isEmptied;
    // The ledger tells what was spent on them, this replica's part as well.
    if (isEmptied) this.#own.forgive((account) => this.#claimed.has(account));
    const askedAtMs = clock.now();
    const synced = await this.#within(this.#commands.sync(session, deadAfterMs, this.#sinceMs), joinMs);
    this.#learn(synced, askedAtMs);
    const untold = batches(this.#own.takeAll(clock.now()));
    try {
      let forget = true;
      for (let batch = untold.shift(); batch !== undefined; batch = untold.shift()) {
        await this.#tell(session, batch, forget);
        forget = false;
      }
    } finally {
      // Of the one that failed the next session finds out; those after it were not sent.
      for (const batch of untold) this.#oweAll(batch);
    }
    if (this.#isStopped) throw new Error("this replica ends");
    // Sent before anything that comes after, on the same connection: no need to wait for its answer.
    this.#isUp = true;
    for (const batch of batches(this.#own.takeNew(clock.now(), true))) {
      if (batch.length > 0)
        this.#sendChanges(
          batch,
          () => {},
          () => {},
        );
    }
    // Others may have taken it for dead, and a budget for one that nobody counts.
    if (this.#hasJoined && !isEmptied)
      for (const [account, ledger] of this.#claimed) this.#stayCounting(account, ledger);
    this.#hasJoined = true;
    this.#isEmptied = false;
    this.#deps.changed?.(true);
    this.#syncLater();
    if (isEmptied) this.#deps.emptied?.();
  }

  /** Changes that a session begins with. Not knowing whether they were made is found out by the next one. */
  async #tell(session: number, changes: readonly CounterChange[], forget: boolean): Promise<void> {
    const seq = ++this.#seq;
    const { clock } = this.#deps;
    const flight: Flight = { sentMs: clock.monotonicMs(), answerHere() {}, wasNotDone: () => this.#oweAll(changes) };
    this.#unsure.set(seq, flight);
    const reply = await this.#within(this.#commands.apply({ session, seq }, changes, this.#shiftMs, forget), joinMs);
    if (reply.kind === "lost") throw new Error("the session is over");
    this.#unsure.delete(seq);
    this.#see(changes, reply.balances);
  }

  #heard(): void {
    this.#lastHeardMs = this.#deps.clock.monotonicMs();
    if (this.#isUp || this.#isJoining || this.#isStopped) return;
    this.#pauseMs = firstPauseMs;
    void this.#join();
  }

  #learn(reply: SyncReply, askedAtMs: number): void {
    if (reply.kind === "lost") throw new Error("the session is over");
    const nowMs = this.#deps.clock.now();
    const shiftMs = reply.atMs - nowMs;
    this.#shiftMs = Math.abs(shiftMs) <= clockGraceMs ? 0 : shiftMs;
    this.#sinceMs = reply.atMs;
    this.#replicas = reply.replicas;
    this.#askedAtMs = askedAtMs;
    this.#here.setShare(reply);
    for (const { name, ageMs, ...balance } of reply.touched) this.#here.see(name, balance, nowMs - ageMs);
  }

  #syncLater(): void {
    this.#cancelNext();
    this.#cancelNext = this.#deps.clock.after(syncMs, () => {
      if (!this.#isUp) return;
      const askedAtMs = this.#deps.clock.now();
      void this.#send(
        { answerHere() {} },
        ({ session }) => this.#commands.sync(session, deadAfterMs, this.#sinceMs),
        (reply) => {
          this.#learn(reply, askedAtMs);
          this.#syncLater();
        },
      );
    });
  }

  async #within<T>(work: Promise<T>, ms: number): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = this.#deps.clock.after(ms, () => reject(new Error(`no answer within ${ms} ms`)));
    try {
      return await Promise.race([work, late]);
    } finally {
      cancel();
      work.catch(() => {});
    }
  }
}

const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** At least one, which may be empty. */
function batches(changes: readonly CounterChange[]): CounterChange[][] {
  const cut: CounterChange[][] = [];
  for (let i = 0; i === 0 || i < changes.length; i += batchSize) cut.push(changes.slice(i, i + batchSize));
  return cut;
}
