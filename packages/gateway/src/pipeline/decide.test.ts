import { describe, expect, test } from "bun:test";
import { admissionDeps, usualPrices } from "../../test/fixtures/admission.ts";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { dialects } from "../codecs/registry.ts";
import { parseConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import type { Decision } from "../core/decision.ts";
import { Exchange } from "../core/exchange.ts";
import { fromDollars } from "../core/money.ts";
import { anonymous } from "../core/principal.ts";
import { LiveState } from "../routing/live-state.ts";
import { RoutingState } from "../routing/routing-state.ts";
import { type DecideDeps, decide, deciding } from "./decide.ts";

const dialect = dialects["openai-chat"];

/** Numbers in [0, 1) that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 4_294_967_296;
  };
}

/** A gateway whose strategy `mine` prefers local targets and is held to `control`. */
function controlled(control: string) {
  const text = `upstreams:
  gpu: { preset: vllm, models: [{ id: small }] }
  sky: { preset: vllm, baseUrl: "http://127.0.0.1:9/v1", placement: cloud, models: [{ id: big }] }
strategies:
  mine:
    control: ${control}
    rules:
      - { name: local first, prefer: [{ placement: local }, { placement: cloud }] }
routing: { strategy: mine }
`;
  const { config, source } = parseConfig(text, "f.yaml", {});
  const { catalogue, breakerLimits } = resolveCatalogue(config, { source, env: {} });
  const clock = new FakeClock();
  const next = seeded(11);
  const deps: DecideDeps = {
    catalogue,
    live: new LiveState(breakerLimits),
    routing: new RoutingState(catalogue),
    prices: usualPrices,
    predictor: admissionDeps().deps.predictor,
    randomness: { id: () => "id", fraction: next },
  };
  /** Decides a prompt, and settles it at what its target costs. */
  const ask = (prompt: string, more: { localOnly?: boolean; costUsd?: number; dry?: boolean } = {}): Decision => {
    const headers = new Headers(more.localOnly === true ? { "x-router-data": "local-only" } : {});
    const chat = dialect.decodeRequest({ model: "auto", messages: [{ role: "user", content: prompt }] });
    const exchange = new Exchange({ id: "e", dialect: dialect.name, clock, hops: [] });
    const wish = { localOnly: more.localOnly === true };
    const question = deciding({ principal: anonymous, chat, wish }, headers, () => false);
    const decision = decide(question, exchange, deps, more.dry === true ? "explain" : "real");
    exchange.served = decision.targets[0];
    if (exchange.served?.upstream.placement === "cloud") exchange.cost = fromDollars(more.costUsd ?? 0.01);
    exchange.callClosers();
    return decision;
  };
  return { ask, clock, next };
}

const isCloud = ({ targets }: Decision): boolean => targets[0]?.upstream.placement === "cloud";

/** Prompts whose complexity differs. */
function promptOf(next: () => number): string {
  const asks = ["Say hello", "Prove that the sum converges, step by step", "Translate this", "Explain why, in detail"];
  const ask = asks[Math.floor(next() * asks.length)] ?? "";
  return `${ask}: ${"Water flows down the hill and turns the mill. ".repeat(Math.floor(next() * 60))}`;
}

const complexPrompt = `Analyze this code for security vulnerabilities, suggest fixes, and explain the impact of each in detail:
${"function f(a) { if (a > 3) { return [1, 2].map((x) => x ** a); } throw new Error('no'); }\n".repeat(60)}`;

describe("a strategy held to a share of cloud", () => {
  test("sends 30 % of its requests there, within a point over the second half", () => {
    const { ask, next } = controlled("{ cloudShare: 0.3 }");
    let cloud = 0;
    for (let i = 0; i < 4_000; i++) if (isCloud(ask(promptOf(next))) && i >= 2_000) cloud++;
    expect(Math.abs(cloud / 2_000 - 0.3)).toBeLessThanOrEqual(0.01);
  });

  test("shows in a dry run what the next request gets, also where all are equally complex", () => {
    const { ask } = controlled("{ cloudShare: 0.3 }");
    for (let i = 0; i < 50; i++) {
      const shown = ask("Say hello", { dry: true });
      expect(isCloud(ask("Say hello"))).toBe(isCloud(shown));
    }
  });

  test("counts only requests that may go either way", () => {
    const { ask, next } = controlled("{ cloudShare: 0.3 }");
    let [cloud, free] = [0, 0];
    for (let i = 0; i < 6_000; i++) {
      // What must stay is the most complex: no other request would reach the threshold that it makes.
      const localOnly = i % 2 === 0;
      const prompt = localOnly ? complexPrompt : promptOf(next);
      const decision = ask(prompt, { localOnly });
      if (localOnly) {
        expect(isCloud(decision)).toBe(false);
      } else if (i >= 3_000) {
        free++;
        if (isCloud(decision)) cloud++;
      }
    }
    expect(Math.abs(cloud / free - 0.3)).toBeLessThanOrEqual(0.01);
  });
});

describe("a strategy held to dollars per day", () => {
  const dayMs = 86_400_000;

  /** Dollars spent on the second of two days, a request a minute at a cent each in cloud. */
  async function spend(localOnly: (minute: number) => boolean) {
    const { ask, clock, next } = controlled("{ dollarsPerDay: 5 }");
    const byHour = new Array<number>(48).fill(0);
    for (let minute = 0; minute < 2 * 1_440; minute++) {
      const bound = localOnly(minute);
      const decision = ask(bound ? complexPrompt : promptOf(next), { localOnly: bound });
      if (isCloud(decision)) byHour[Math.floor(minute / 60)]! += 0.01;
      await clock.advance(dayMs / 1_440);
    }
    const secondDay = byHour.slice(24);
    return { total: secondDay.reduce((sum, part) => sum + part, 0), most: Math.max(...secondDay) };
  }

  test("spends them, and no more", async () => {
    const { total } = await spend(() => false);
    expect(total).toBeGreaterThan(4.5);
    expect(total).toBeLessThan(5.05);
  });

  test("does not take requests that had to stay for free ones", async () => {
    const { total, most } = await spend((minute) => minute < 1_440);
    expect(total).toBeLessThan(5.05);
    // 5 / 24 dollars are an hour's part, and an eighth of a day's may have been saved up.
    expect(most).toBeGreaterThan(0.15);
    expect(most).toBeLessThan(0.6);
  });
});
