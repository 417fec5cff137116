import { expect, test } from "bun:test";
import fc from "fast-check";
import { admissionDeps, budget, rateLimit, usualPrices } from "../../test/fixtures/admission.ts";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { openKeyStore } from "../../test/fixtures/open-key-store.ts";
import { routingDeps } from "../../test/fixtures/routing-deps.ts";
import { frames } from "../../test/fixtures/scripted-transport.ts";
import { defaultTranslationPolicy } from "../codecs/codec.ts";
import { dialects } from "../codecs/registry.ts";
import { GatewayError } from "../core/errors.ts";
import { Exchange } from "../core/exchange.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";
import { countWindow } from "../ledger/budget-window.ts";
import type { LedgerBegin } from "../ledger/ledger-store.ts";
import { SelfHostedMeter } from "../ledger/self-hosted-meter.ts";
import { LiveState } from "../routing/live-state.ts";
import { TryBudgets } from "../routing/try-budgets.ts";
import { DecisionRing } from "../telemetry/decision-ring.ts";
import type { Transport, UpstreamRequest } from "../upstreams/transport.ts";
import { type ChatDeps, handleChat } from "./handle-chat.ts";

const dialect = dialects["openai-chat"];
const maxTokens = 200;

/** How one attempt's upstream behaves, once it may go on. */
type Behaviour = "answer" | "fail" | "refuse" | "cut-early" | "cut-late" | "silent" | "error-event";

interface Plan {
  readonly stream: boolean;
  readonly model: "local" | "cloud";
  /** One for each attempt; the last repeats. */
  readonly behaviours: readonly Behaviour[];
  readonly inputTokens: number;
  readonly outputTokens: number;
}

const behaviour = fc.constantFrom<Behaviour>(
  "answer",
  "answer",
  "fail",
  "refuse",
  "cut-early",
  "cut-late",
  "silent",
  "error-event",
);

const plan: fc.Arbitrary<Plan> = fc.record({
  stream: fc.boolean(),
  model: fc.constantFrom("local", "cloud"),
  behaviours: fc.array(behaviour, { minLength: 1, maxLength: 4 }),
  inputTokens: fc.integer({ min: 1, max: 100 }),
  outputTokens: fc.integer({ min: 1, max: maxTokens }),
});

/** What the world does next: lets an upstream go on, sends a client away, or lets time pass. */
type Step =
  | { readonly kind: "upstream" | "client"; readonly pick: number }
  | { readonly kind: "time"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("upstream" as const), pick: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("client" as const), pick: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("time" as const), ms: fc.integer({ min: 1, max: 9_000 }) }) },
);

const usageOf = ({ inputTokens, outputTokens }: Plan) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
});

/** Upstreams whose every move waits until the test lets it happen. */
class GatedTransport implements Transport {
  readonly gates: (() => void)[] = [];
  readonly #plans: ReadonlyMap<string, Plan>;
  readonly #asked = new Map<string, number>();

  constructor(plans: readonly Plan[]) {
    this.#plans = new Map(plans.map((plan, i) => [`request ${i}`, plan]));
  }

  async send(_: unknown, { body, signal }: UpstreamRequest): Promise<Response> {
    const sent = JSON.parse(body ?? "") as { messages: { content: string }[]; stream?: boolean };
    const name = sent.messages[0]?.content ?? "";
    const plan = this.#plans.get(name);
    if (plan === undefined) throw new Error(`no plan for ${name}`);
    const at = this.#asked.get(name) ?? 0;
    this.#asked.set(name, at + 1);
    const how = plan.behaviours[Math.min(at, plan.behaviours.length - 1)];
    await this.#gate(signal);
    if (how === "refuse") throw new GatewayError("unreachable", "refused", { refused: true });
    if (how === "fail") return Response.json({ error: { message: "busy", type: "server_error" } }, { status: 500 });
    if (how === "silent")
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    if (sent.stream !== true) return this.#whole(plan, how, signal);
    return this.#stream(plan, how, signal);
  }

  async reach(): Promise<void> {}

  close(): void {}

  #whole(plan: Plan, how: Behaviour | undefined, signal: AbortSignal): Response {
    if (how !== "answer") return broken(signal, this.#gate(signal));
    const message = { role: "assistant", content: "x".repeat(plan.outputTokens) };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    return Response.json({ id: "1", object: "chat.completion", created: 1, model: "m", choices, usage: usageOf(plan) });
  }

  #stream(plan: Plan, how: Behaviour | undefined, signal: AbortSignal): Response {
    const text = frames.text("x".repeat(plan.outputTokens));
    const usage = frames.usage.replace(/"usage":\{[^}]*\}/, `"usage":${JSON.stringify(usageOf(plan))}`);
    const pieces: Record<string, readonly (string | Error)[]> = {
      answer: [frames.role, text, frames.finish, usage, frames.done],
      "cut-early": [frames.role, new Error("cut")],
      "cut-late": [frames.role, text, new Error("cut")],
      "error-event": [frames.role, text, frames.error],
    };
    const left = [...(pieces[how ?? "answer"] ?? [])];
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          await this.#gate(signal);
          const piece = left.shift();
          if (piece === undefined) controller.close();
          else if (piece instanceof Error) controller.error(piece);
          else controller.enqueue(encoder.encode(piece));
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  #gate(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.gates.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }
}

/** A whole answer whose body breaks once the gate opens. */
function broken(signal: AbortSignal, gate: Promise<void>): Response {
  const body = new ReadableStream({
    start(controller) {
      gate.then(
        () => controller.error(new Error("cut")),
        () => controller.error(signal.reason),
      );
    },
  });
  return new Response(body, { headers: { "content-type": "application/json" } });
}

interface World {
  readonly records: readonly ExchangeRecord[];
  readonly begun: readonly LedgerBegin[];
  /** settled and held of the one budget, in nano-dollars. */
  readonly balance: () => { settled: number; held: number };
  /** Right after each admission that was granted. */
  readonly admitted: readonly { readonly sum: number; readonly held: number }[];
  readonly running: number;
  readonly limitsHeld: number;
}

const limits = [rateLimit("r", { concurrency: 6, tokensPerMinute: 4_000, requestsPerMinute: 1_000 })];

/** Runs the plans side by side, moved by the steps, and then to their ends. */
async function run(
  plans: readonly Plan[],
  steps: readonly Step[],
  limitNano: number,
  reserve: "predicted" | "max",
): Promise<World> {
  const clock = new FakeClock();
  const transport = new GatedTransport(plans);
  const local = deployment(upstream("local", "local"), "small");
  const cloud = deployment(upstream("cloud", "cloud"), "big");
  const total = budget("total", { limit: limitNano as never, onExhausted: "refuse" });
  const admission = admissionDeps({ budgets: [total], limits, prices: usualPrices, reserve });
  const { counters } = admission;
  const [active] = admission.budgets.all;
  if (active === undefined) throw new Error("no budget");
  const read = (account: string, window: Parameters<typeof counters.read>[1]) => {
    const balance = counters.read(account, window, clock.now());
    if (balance instanceof Promise) throw new Error("memory answers at once");
    return balance;
  };
  const balance = () => read(active.account, countWindow(total.window, clock.now()));
  const admitted: { sum: number; held: number }[] = [];
  const counted: ChatDeps["admission"] = {
    ...admission.deps,
    counters: {
      reserve: (charges, nowMs) => {
        const reserved = counters.reserve(charges, nowMs);
        const money = charges.find(({ account }) => account === active.account);
        if (!(reserved instanceof Promise) && reserved.ok && money !== undefined) {
          const { settled, held } = balance();
          admitted.push({ sum: settled + held, held: money.amount });
        }
        return reserved;
      },
      settle: (reservation, actuals) => counters.settle(reservation, actuals),
      book: (...args) => counters.book(...args),
      read: (...args) => counters.read(...args),
    },
  };
  const records: ExchangeRecord[] = [];
  const begun: LedgerBegin[] = [];
  const ledger = {
    begin: (entry: LedgerBegin) => void begun.push(entry),
    settle: (record: ExchangeRecord) => void records.push(record),
    flush: async () => {},
    close: async () => {},
  };
  const known = catalogue([local, cloud], { local: [local], cloud: [cloud] });
  const live = new LiveState({
    failures: 1_000,
    failureRate: 0.5,
    minTries: 20,
    windowMs: 30_000,
    cooldownMs: 1,
    halfOpenTrials: 1,
  });
  const deps: ChatDeps = {
    catalogue: known,
    keys: openKeyStore,
    admission: counted,
    accounts: { ledger, sinks: [], prices: usualPrices, decisions: new DecisionRing(10) },
    ...routingDeps(known, live, counted),
    transport,
    live,
    meter: new SelfHostedMeter([]),
    instanceId: "here",
    budgets: new TryBudgets(),
    alert: () => {},
    limits: {
      maxAttempts: 4,
      retriesPerTarget: 1,
      backoffMs: 10,
      maxRetryAfterMs: 100,
      retryBudget: { share: 0.2, minPerSecond: 3 },
      hedge: undefined,
      onRefusal: "answer",
      afterCut: "error",
    },
    policy: defaultTranslationPolicy,
    randomness: { id: () => "id", fraction: () => 0.5 },
    isLoopbackBind: true,
    keepAliveMs: 15_000,
    commitGraceMs: 1_000,
    clientStallMs: 120_000,
  };
  const exchanges = plans.map((_, i) => new Exchange({ id: `x${i}`, dialect: dialect.name, clock, hops: [] }));
  let running = plans.length;
  const replies = plans.map(async ({ stream, model }, i) => {
    const raw = JSON.stringify({
      model,
      stream,
      max_tokens: maxTokens,
      messages: [{ role: "user", content: `request ${i}` }],
    });
    const exchange = exchanges[i];
    if (exchange === undefined) throw new Error("no exchange");
    const { response, settled } = await handleChat(
      { headers: new Headers(), readBody: async () => raw },
      dialect,
      exchange,
      deps,
    );
    const gone = new Promise<void>((resolve) => exchange.client.listen(() => resolve()));
    const reader = response.body?.getReader();
    const read = async (): Promise<void> => {
      while (reader !== undefined && !(await reader.read()).done);
    };
    // A client that leaves cancels the body it was reading.
    await Promise.race([read().catch(() => {}), gone]);
    await reader?.cancel().catch(() => {});
    await settled;
    running--;
  });
  for (const move of steps) {
    await settle();
    if (move.kind === "time") await clock.advance(move.ms);
    else if (move.kind === "upstream") transport.gates.splice(move.pick % (transport.gates.length || 1), 1)[0]?.();
    else exchanges[move.pick % exchanges.length]?.client.hangUp(new GatewayError("client_gone", "gone"));
  }
  // To the end: gates open in the order they came, and what hangs runs into its limits.
  for (let i = 0; i < 400 && running > 0; i++) {
    await settle();
    const open = transport.gates.shift();
    if (open === undefined) await clock.advance(5_000);
    else open();
  }
  await Promise.all(replies);
  const limitsHeld = ["running", "tokens"].reduce(
    (sum, what) => sum + read(`limit:r:anonymous:${what}`, { kind: "sliding", lengthMs: 60_000 }).held,
    0,
  );
  return { records, begun, balance, admitted, running, limitsHeld };
}

const nano = (record: ExchangeRecord): number => record.cost ?? 0;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

const worlds = fc.record({
  plans: fc.array(plan, { minLength: 1, maxLength: 10 }),
  steps: fc.array(step, { maxLength: 120 }),
  // From less than one request to more than all of them cost.
  limitNano: fc.integer({ min: 0, max: 30_000_000 }),
});

const many = { numRuns: 150, seed: 20_261_121 };

test("over any interleaving of requests and exits, money adds up and nothing stays held", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async ({ plans, steps, limitNano }) => {
      const world = await run(plans, steps, limitNano, "predicted");
      expect(world.running).toBe(0);
      expect(world.records).toHaveLength(plans.length);
      for (const { sum: reached } of world.admitted) expect(reached).toBeLessThanOrEqual(limitNano);
      const { settled, held } = world.balance();
      expect(held).toBe(0);
      expect(world.limitsHeld).toBe(0);
      expect(sum(world.records.map(nano))).toBe(settled);
      for (const { cost, attempts } of world.records) expect(cost ?? 0).toBe(sum(attempts.map((a) => a.cost ?? 0)));
      // Work that was begun and given up is paid for like any other.
      const worked = world.records
        .flatMap(({ attempts }) => attempts)
        .filter(({ error }) => error === undefined || error === "client_gone");
      for (const { cost } of worked) expect(cost ?? 0).toBeGreaterThan(0);
      // What passes the limit is no more than what attempts cost beyond their reservation.
      const attempts = world.records.flatMap(({ attempts }) => attempts.map(({ cost }) => cost ?? 0));
      const heldThen = world.admitted.map(({ held }) => held);
      const beyond = sum(attempts) - sum(heldThen);
      expect(settled - limitNano).toBeLessThanOrEqual(Math.max(0, beyond, worstCase(attempts, heldThen)));
    }),
    many,
  );
});

/** The most that attempts can have cost beyond what was held for them, whichever belongs to which. */
function worstCase(actual: readonly number[], held: readonly number[]): number {
  const dear = [...actual].sort((a, b) => b - a);
  const small = [...held].sort((a, b) => a - b);
  return sum(dear.map((cost, i) => Math.max(0, cost - (small[i] ?? 0))));
}

test("where the most is reserved, no interleaving ever passes the limit", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async ({ plans, steps, limitNano }) => {
      const world = await run(plans, steps, limitNano, "max");
      const { settled, held } = world.balance();
      expect(held).toBe(0);
      expect(settled).toBeLessThanOrEqual(limitNano);
      expect(sum(world.records.map(nano))).toBe(settled);
    }),
    many,
  );
});

test("each attempt begins in the ledger before it is sent", async () => {
  await fc.assert(
    fc.asyncProperty(worlds, async ({ plans, steps }) => {
      const world = await run(plans, steps, 1e12, "predicted");
      for (const { id, attempts } of world.records) {
        const begun = world.begun.filter((entry) => entry.id === id).map(({ target }) => target.target);
        expect(begun).toEqual(attempts.map(({ target }) => target));
      }
    }),
    { ...many, numRuns: 50 },
  );
});
