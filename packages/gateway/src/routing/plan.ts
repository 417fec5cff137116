import type { RoutingReason } from "@fairlead/contract/names";
import type { Candidate, ControlChoice, Decision, Exclusion } from "../core/decision.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Price } from "../core/price.ts";
import type { Strategy } from "../core/strategy.ts";
import { nearNames } from "../lib/near-names.ts";
import type { Ask } from "./ask.ts";
import { checkWish } from "./check-wish.ts";
import { type Confinement, confine, isWithin } from "./confinement.ts";
import { exclusionReason, type TargetRule } from "./exclusion-reason.ts";
import { Facts, onPlacement } from "./facts.ts";
import type { LiveState } from "./live-state.ts";
import { noTarget, notAllowed } from "./no-target.ts";
import { notReady } from "./not-ready.ts";
import { orderStage, type StageDeps } from "./order-stage.ts";
import { PlacementView } from "./placement-view.ts";
import { prefer } from "./prefer.ts";
import type { Preference } from "./preference.ts";
import { type Asked, resolveName } from "./resolve-name.ts";
import type { SpillCap } from "./spill-cap.ts";
import { spillOver } from "./spill-over.ts";
import { refersTo } from "./target-reference.ts";
import { TargetView, type ViewContext } from "./target-view.ts";
import { withWishes } from "./with-wishes.ts";

/** What a plan is made with. Functions are asked while it is made, never later. */
export interface PlanDeps {
  readonly catalogue: Catalogue;
  readonly live: LiveState;
  /** Monotonic. */
  readonly nowMs: number;
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly priceOf: (target: Deployment) => Price | undefined;
  /** Tokens the target's answer is likely to have. */
  readonly outputTokens: (target: Deployment) => number;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
  /** Why a target is out whatever its state; undefined for none. */
  readonly rule?: TargetRule | undefined;
  /** What the strategy's share control says of this complexity; undefined without one. Asked where both placements can serve. */
  readonly control?: ((strategy: Strategy, complexity: number) => ControlChoice | undefined) | undefined;
  readonly spillCap?: SpillCap | undefined;
  /** Told what was left out before a plan that found no target is refused. */
  readonly refused?: ((exclusions: readonly Exclusion[]) => void) | undefined;
  /** Looks at every figure of every target, for people to see. */
  readonly explains?: boolean | undefined;
}

/**
 * Decides where a request may go and in which order. Synchronous; reads live state and changes nothing but what `control`
 * and `fraction` do. Every request.
 * @throws GatewayError `unknown_model`, `invalid_request`, `capability_unavailable`, `context_length_exceeded`,
 * `key_not_allowed`, `policy_forbids` or `no_target_available`, naming what excluded each target
 */
export function plan(ask: Ask, deps: PlanDeps): Decision {
  return new Planner(ask, deps).decide();
}

const universes = new WeakMap<Catalogue, ReadonlySet<Deployment>>();

function allOf(catalogue: Catalogue): ReadonlySet<Deployment> {
  let all = universes.get(catalogue);
  if (all === undefined) {
    all = new Set(catalogue.deployments);
    universes.set(catalogue, all);
  }
  return all;
}

/** One request's planning: its views of targets, and what was left out. */
class Planner {
  readonly #ask: Ask;
  readonly #deps: PlanDeps;
  readonly #context: ViewContext;
  readonly #views = new Map<Deployment, TargetView>();
  readonly #able = new Map<Deployment, boolean>();
  readonly #exclusions: Exclusion[] = [];
  #universe: ReadonlySet<Deployment> = new Set();

  constructor(ask: Ask, deps: PlanDeps) {
    this.#ask = ask;
    this.#deps = deps;
    const { live, nowMs, priceOf, outputTokens: predictOutput } = deps;
    this.#context = { features: ask.features, live, nowMs, priceOf, predictOutput };
  }

  decide(): Decision {
    const { catalogue, rule, fraction } = this.#deps;
    const ask = this.#ask;
    const asked = resolveName(ask.model, catalogue);
    checkWish(ask.wish, catalogue);
    const facts = new Facts(ask, asked.name, this.#deps.atMs, (placement) => {
      return new PlacementView(onPlacement([...this.#universe], placement).map(this.#viewOf));
    });
    this.#universe = allOf(catalogue);
    const confinement = confine(ask, asked.named, catalogue, facts);
    this.#universe = this.#within(confinement);
    facts.recount();
    const viewOf = this.#viewOf;
    const plain = prefer(ask, asked, { catalogue, facts, universe: this.#universe, viewOf, fraction });
    const preference = withWishes(plain, ask.wish, asked, catalogue, this.#universe);
    const confinedTo = confinement.placement ?? preference.confinedTo;
    if (asked.named !== undefined && rule !== undefined) this.#refuseForeign(preference, rule, asked.name);
    const { usable, firstChoice, all } = this.#order(preference);
    const targets = usable.length > 0 ? usable : this.#lastResort(all);
    if (targets.length === 0) {
      this.#deps.refused?.(this.#exclusions);
      throw noTarget({
        asked: asked.name,
        exclusions: this.#exclusions,
        confinedTo,
        boundBy: confinement.by,
        needs: ask.needs,
        features: ask.features,
      });
    }
    return this.#finish(asked, preference, confinement, targets, firstChoice);
  }

  /** A model asked for by name is not quietly replaced by another that the key may use. */
  #refuseForeign(preference: Preference, rule: TargetRule, asked: string): void {
    const wanted = preference.prefer.flatMap(({ targets }) => this.#allowed(targets, preference));
    if (wanted.length > 0 && wanted.every((target) => rule(target) === "key_not_allowed")) throw notAllowed(asked);
  }

  readonly #viewOf = (target: Deployment): TargetView => {
    let view = this.#views.get(target);
    if (view === undefined) {
      view = new TargetView(target, this.#context);
      this.#views.set(target, view);
    }
    return view;
  };

  /** Residency comes first, then what the client itself leaves out: nothing that follows sees the rest. */
  #within(confinement: Confinement): ReadonlySet<Deployment> {
    const { catalogue } = this.#deps;
    const { only, ignore } = this.#ask.wish;
    const isBound = confinement.by.length > 0;
    if (!isBound && only === undefined && ignore === undefined) return this.#universe;
    const refers = (references: readonly string[], target: Deployment) =>
      references.some((reference) => refersTo(reference, target, catalogue));
    const within = new Set<Deployment>();
    for (const target of catalogue.deployments) {
      if (isBound && !isWithin(target, confinement)) this.#exclude(target, "residency");
      else if (only !== undefined && !refers(only, target)) this.#exclude(target, "client_preference");
      else if (ignore !== undefined && refers(ignore, target)) this.#exclude(target, "client_preference");
      else within.add(target);
    }
    return within;
  }

  #exclude(target: Deployment, reason: RoutingReason): void {
    this.#exclusions.push({ target: target.id, reason });
  }

  #allowed(targets: readonly Deployment[], { confinedTo }: Preference): readonly Deployment[] {
    if (confinedTo === undefined && this.#universe === allOf(this.#deps.catalogue)) return targets;
    return targets.filter(
      (target) => this.#universe.has(target) && (confinedTo === undefined || target.upstream.placement === confinedTo),
    );
  }

  /** Goes through the stages: what can serve, in order; what cannot, with its reason. */
  #order(preference: Preference) {
    const { catalogue, fraction } = this.#deps;
    const { wish, features, key } = this.#ask;
    const usable: Deployment[] = [];
    const seen = new Set<Deployment>();
    const deps: StageDeps = {
      catalogue,
      region: wish.region ?? (key.region === "" ? undefined : key.region),
      viewOf: this.#viewOf,
      balance: {
        fraction,
        prefixHash: features.prefixHash,
        conversationHash: features.conversationHash,
        session: wish.session,
      },
      canServe: (target) => this.#canServe(target),
    };
    let firstChoice = this.#leftOut(preference);
    const run = (stages: Preference["prefer"]): void => {
      for (const stage of stages) {
        const allowed = this.#allowed(stage.targets, preference);
        const targets = seen.size === 0 ? allowed : allowed.filter((target) => !seen.has(target));
        if (targets.length === 0) continue;
        const ordered = orderStage(stage, targets, deps);
        for (const target of ordered.considered) seen.add(target);
        firstChoice ??= ordered.first;
        usable.push(...ordered.usable);
      }
    };
    run(preference.prefer);
    const localUnready = this.#exclusions.some(({ reason }) => notReady.has(reason));
    if (wish.allowFallbacks === false) return { usable: usable.slice(0, 1), firstChoice, all: seen };
    // A local model that is known not to be ready is replaced by the plain cloud model, not by the cheapest one.
    if (localUnready) run([{ targets: preference.standIn, order: ["listed"], balance: "priority" }]);
    run(preference.fallback);
    return { usable, firstChoice, all: seen };
  }

  /** What a name's own order begins with, where residency or the client leaves that out. */
  #leftOut({ prefer: [stage] }: Preference): Deployment | undefined {
    const first = stage?.targets[0];
    if (stage === undefined || first === undefined || this.#universe.has(first)) return undefined;
    const isOrdered = stage.order[0] === "listed";
    return isOrdered || !stage.targets.some((target) => this.#universe.has(target)) ? first : undefined;
  }

  /** Whether it can serve now; noted once where it cannot. */
  #canServe(target: Deployment): boolean {
    const known = this.#able.get(target);
    if (known !== undefined) return known;
    const reason = this.#exclusionReason(target);
    if (reason !== undefined) this.#exclude(target, reason);
    this.#able.set(target, reason === undefined);
    return reason === undefined;
  }

  #exclusionReason(target: Deployment): RoutingReason | undefined {
    const { rule, live, nowMs } = this.#deps;
    const { needs, features, wish } = this.#ask;
    const out = rule?.(target) ?? exclusionReason(target, needs, features, live, nowMs);
    if (out !== undefined || (wish.maxCostUsd === undefined && wish.maxPrice === undefined)) return out;
    return this.#viewOf(target).exceeds(wish) ? "price_cap" : undefined;
  }

  /** When nothing is left, targets that only looked unwell are tried all the same: a wrong guess must not refuse work. */
  #lastResort(all: ReadonlySet<Deployment>): Deployment[] {
    const unwell = new Set(this.#exclusions.filter(({ reason }) => notReady.has(reason)).map(({ target }) => target));
    const { live } = this.#deps;
    const tried = [...all].filter((target) => unwell.has(target.id) && !live.isDrained(target.upstream.name));
    return this.#ask.wish.allowFallbacks === false ? tried.slice(0, 1) : tried;
  }

  #finish(
    asked: Asked,
    preference: Preference,
    { placement }: Confinement,
    ordered: readonly Deployment[],
    wanted: Deployment | undefined,
  ): Decision {
    const { catalogue, control } = this.#deps;
    const { features, needs, wish } = this.#ask;
    const { strategy } = preference;
    // What cannot go either way moves no share: its choice would be owed, or paid, by the others.
    const isControlled = strategy?.control !== undefined && hasBothPlacements(ordered);
    const controlled = isControlled ? control?.(strategy, features.complexity) : undefined;
    let targets = ordered;
    let firstChoice = wanted ?? ordered[0];
    let reason = this.#reasonOf(preference, firstChoice);
    if (controlled !== undefined && ordered[0]?.upstream.placement !== controlled.chose) {
      targets = placementFirst(ordered, controlled.chose);
      if (targets[0] !== ordered[0]) {
        firstChoice = targets[0];
        reason = "share_control";
      }
    }
    const limitMs = wish.maxLatencyMs ?? asked.named?.maxTtftMs ?? catalogue.spill?.maxTtftMs;
    const spill =
      catalogue.spill === undefined || limitMs === undefined || wish.allowFallbacks === false
        ? undefined
        : spillOver(targets, limitMs, this.#viewOf, this.#deps.spillCap, this.#deps.nowMs);
    if (spill !== undefined && spill.costUsd === undefined) {
      // One of one's own that is in time: nothing leaves, so nothing is told.
      targets = spill.targets;
      firstChoice = targets[0];
    } else if (spill !== undefined) {
      this.#exclusions.push({ target: targets[0]!.id, reason: "spill" });
      targets = spill.targets;
      reason = "spill";
    }
    return {
      asked: asked.name,
      strategy: preference.strategyName,
      rule: preference.rule,
      reason,
      firstChoice,
      targets,
      exclusions: this.#exclusions,
      candidates: this.#candidates(),
      nearNames: asked.unknown ? nearNames(asked.name, catalogue.names.keys()) : [],
      features,
      needs: [...needs],
      wish,
      reasoning: this.#ask.reasoning,
      confinedTo: placement ?? preference.confinedTo,
      experiment: preference.experiment,
      control: controlled,
      rules: asked.named?.rules,
      spillCostUsd: spill?.costUsd,
    };
  }

  #candidates(): readonly Candidate[] {
    if (this.#deps.explains !== true) return Array.from(this.#views.values(), (view) => view.known());
    return this.#deps.catalogue.deployments.map((target) => this.#viewOf(target).figures());
  }

  /** The preference's own reason, unless its first choice could not serve, or residency or the client left a placement out. */
  #reasonOf({ reason }: Preference, first: Deployment | undefined): RoutingReason {
    const excluded = this.#exclusions.find(({ target }) => target === first?.id)?.reason;
    if (excluded !== undefined) return excluded;
    if (reason !== "no_cloud" && reason !== "no_local") return reason;
    const missing = onPlacement(this.#deps.catalogue.deployments, reason === "no_cloud" ? "cloud" : "local");
    const leftOut = this.#exclusions.find(({ target }) => missing.some(({ id }) => id === target));
    return leftOut?.reason ?? reason;
  }
}

function hasBothPlacements(targets: readonly Deployment[]): boolean {
  const first = targets[0]?.upstream.placement;
  return targets.some(({ upstream }) => upstream.placement !== first);
}

function placementFirst(targets: readonly Deployment[], placement: "local" | "cloud"): readonly Deployment[] {
  return [
    ...targets.filter(({ upstream }) => upstream.placement === placement),
    ...targets.filter(({ upstream }) => upstream.placement !== placement),
  ];
}
