import { expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { features } from "../../../test/fixtures/features.ts";
import { emptyPriceBook } from "../../ledger/price-book.ts";
import { RoutingState } from "../../routing/routing-state.ts";
import { type Deciding, decideAgain } from "./decide-again.ts";
import { FairChance } from "./fair-chance.ts";
import { KnownKeys } from "./known-keys.ts";
import type { RecordedAttempt, RecordedRequest } from "./recorded-request.ts";
import { RecordedState } from "./recorded-state.ts";

const local = deployment(upstream("gpu", "local"), "small");
const cloud = deployment(upstream("sky", "cloud"), "large");
const other = deployment(upstream("air", "cloud"), "other");
const all = catalogue([local, cloud, other]);

function deciding(live: "recorded" | "ready" = "recorded"): Deciding {
  return {
    catalogue: all,
    prices: emptyPriceBook,
    state: new RecordedState(
      all,
      { failures: 3, failureRate: 0.5, minTries: 20, windowMs: 30_000, cooldownMs: 1_000, halfOpenTrials: 1 },
      live,
    ),
    routing: new RoutingState(all),
    chance: new FairChance(),
    keys: new KnownKeys(),
    missesHeaders: () => undefined,
    usesRecorded: live === "recorded",
  };
}

const attempt = (target: typeof local, error?: string): RecordedAttempt => ({
  target: target.id,
  upstream: target.upstream.name,
  provider: target.upstream.provider,
  model: target.model,
  placement: target.upstream.placement,
  durationMs: 10,
  firstContentMs: undefined,
  error,
  usage: undefined,
  isEstimated: false,
  priceVersion: undefined,
  costUsd: undefined,
});

function recorded(more: Partial<RecordedRequest> = {}): RecordedRequest {
  return {
    id: "one",
    atMs: 1_000_000,
    asked: "auto",
    dialect: "openai-chat",
    stream: false,
    features: features(),
    needs: [],
    wish: { localOnly: false },
    reasoning: "",
    key: { id: "k", name: "", team: "", user: "", tags: [], region: "", localOnly: false },
    reason: "local_adequate",
    exclusions: [],
    confinedTo: undefined,
    order: [local.id, cloud.id, other.id],
    candidates: [],
    attempts: [attempt(local)],
    served: { target: local.id, placement: "local" },
    error: undefined,
    costUsd: undefined,
    durationMs: 10,
    firstContentMs: undefined,
    ...more,
  };
}

function again(request: RecordedRequest, given = deciding()) {
  given.state.arrive(request, request.atMs);
  const { target, error, reason } = decideAgain(request, request.atMs, given);
  return { target: target?.id as string | undefined, error, reason };
}

test("a request that went well goes there again", () => {
  expect(again(recorded())).toEqual({ target: local.id, error: undefined, reason: "local_adequate" });
});

test("what failed on its first target ends where it ended, unless all are taken to be ready", () => {
  const fellBack = recorded({
    attempts: [attempt(local, "upstream_error"), attempt(other)],
    served: { target: other.id, placement: "cloud" },
  });
  expect(again(fellBack).target).toBe(other.id);
  expect(again(fellBack, deciding("ready")).target).toBe(local.id);
});

test("what failed everywhere fails again where it is tried the same way first, and not elsewhere", () => {
  const failed = { attempts: [attempt(local, "overloaded"), attempt(cloud, "overloaded")], error: "overloaded" };
  expect(again(recorded(failed)).error).toBe("overloaded");
  expect(again(recorded({ ...failed, asked: "other" })).target).toBe(other.id);
});

test("a target that was down is down again, with its reason", () => {
  const down = recorded({
    exclusions: [{ target: local.id, reason: "local_down" }],
    order: [cloud.id, other.id],
    attempts: [attempt(cloud)],
    served: { target: cloud.id, placement: "cloud" },
  });
  const given = deciding();
  expect(again(down, given)).toEqual({ target: cloud.id, error: undefined, reason: "local_down" });
  // And only for that request.
  expect(again(recorded(), given).target).toBe(local.id);
});

test("what a budget refused when the plan was made is refused again", () => {
  const broke = recorded({
    asked: "large",
    reason: "budget_exhausted",
    exclusions: [{ target: cloud.id, reason: "budget_exhausted" }],
    order: [cloud.id, other.id],
    attempts: [attempt(other)],
    served: { target: other.id, placement: "cloud" },
  });
  expect(again(broke)).toEqual({ target: other.id, error: undefined, reason: "budget_exhausted" });
});

test("a key's refused targets are remembered from the decisions that named them", () => {
  const given = deciding();
  const long = { features: features({ promptTokens: 5_000 }) };
  const refused = [cloud, other].map(({ id }) => ({ target: id, reason: "key_not_allowed" }));
  again(recorded({ ...long, exclusions: refused, order: [local.id] }), given);
  expect(again(recorded({ ...long, order: [local.id] }), given).target).toBe(local.id);
  const free = recorded({ ...long, key: { ...recorded().key, id: "free" }, order: [cloud.id] });
  expect(again(free, given).target).toBe(cloud.id);
});

test("an error that came whatever the decision was comes again", () => {
  expect(again(recorded({ attempts: [], served: undefined, error: "limit_reached" })).error).toBe("limit_reached");
});

test("local-only data is never planned for cloud", () => {
  const long = recorded({ features: features({ promptTokens: 90_000 }), wish: { localOnly: true } });
  expect(again(long).target).toBe(local.id);
});
