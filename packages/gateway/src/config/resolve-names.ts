import type { FairleadConfig, RouteConfig } from "@fairlead/contract/config-schema";
import type { Deployment, Timeouts } from "../core/deployment.ts";
import type { NamedTarget, RouteRules } from "../core/gateway-model.ts";
import { nearNames } from "../lib/near-names.ts";
import { type AliasCandidate, defaultAliases } from "../upstreams/default-aliases.ts";
import { type ConfigPath, formatPath } from "./config-error.ts";
import { showValue } from "./config-source.ts";
import type { DeploymentIndex } from "./deployment-index.ts";
import type { Resolution } from "./resolution.ts";
import { canonicalStrategy } from "./strategies/canonical-strategy.ts";

/** A name that no config may take: it asks the router to decide. */
const reserved = "auto";

type Found = readonly Deployment[] | undefined;

/** Finds what names mean. Notes references to nothing, cycles and collisions; answers are remembered. */
export class NameResolver {
  readonly #config: FairleadConfig;
  readonly #index: DeploymentIndex;
  readonly #resolution: Resolution;
  readonly #known = new Map<string, Found>();
  readonly #open: string[] = [];

  constructor(config: FairleadConfig, index: DeploymentIndex, resolution: Resolution) {
    this.#config = config;
    this.#index = index;
    this.#resolution = resolution;
  }

  /** Every name with its meaning; what a client may ask for. */
  all(): ReadonlyMap<string, NamedTarget> {
    const names = new Map<string, NamedTarget>();
    const put = (name: string, reason: NamedTarget["reason"], targets: Found, listed: boolean, route?: string) => {
      if (names.has(name) || name === reserved || targets === undefined || targets.length === 0) return;
      names.set(name, { reason, targets, listed, fallback: this.#fallbackOf(route), ...this.#settingsOf(route) });
    };
    for (const name of Object.keys(this.#config.aliases)) {
      put(name, "alias", this.#named(name), true, this.#routeBehind(name));
    }
    for (const name of Object.keys(this.#config.models)) put(name, "alias", this.#named(name), true, name);
    for (const [model, targets] of this.#index.byModel) put(model, "explicit_model", targets, true);
    for (const [alias, targets] of this.#index.byAlias) put(alias, "alias", targets, true);
    for (const [id, targets] of this.#index.byId) put(id, "explicit_model", targets, false);
    for (const { name } of defaultAliases) put(name, "alias", this.#named(name), true);
    this.#checkCollisions();
    this.#checkPlacements(names);
    this.#checkTimeouts(names);
    return names;
  }

  /** Resolves a list of references, without repeats. Unknown ones are noted unless `lenient`. */
  chain(references: readonly string[], at: ConfigPath, lenient: boolean): readonly Deployment[] {
    const found = references.flatMap((reference, i) => {
      return this.#reference(reference, [...at, i], lenient ? "lenient" : "strict") ?? [];
    });
    return [...new Set(found)];
  }

  /** Resolves one reference; an unknown one is noted at its own place. */
  find(reference: string, at: ConfigPath): readonly Deployment[] {
    return this.#reference(reference, at, "strict") ?? [];
  }

  /** The configured model that an alias stands for, through other aliases. */
  #routeBehind(alias: string, seen: readonly string[] = []): string | undefined {
    const value = Object.hasOwn(this.#config.aliases, alias) ? this.#config.aliases[alias] : undefined;
    if (value === undefined || seen.includes(alias)) return undefined;
    const meant = [value].flat().find((candidate) => (this.#reference(candidate, [], "lenient")?.length ?? 0) > 0);
    if (meant === undefined) return undefined;
    return Object.hasOwn(this.#config.models, meant) ? meant : this.#routeBehind(meant, [...seen, alias]);
  }

  /** What a route says beside its targets. */
  #settingsOf(model: string | undefined): Partial<NamedTarget> {
    const { models } = this.#config;
    const route = model !== undefined && Object.hasOwn(models, model) ? models[model] : undefined;
    if (route === undefined) return {};
    const { balance, data, maxTtftMs } = route;
    const rules = rulesOf(route);
    const strategy = route.strategy === undefined ? undefined : canonicalStrategy(route.strategy);
    return { strategy, balance, confinedTo: data === "local-only" ? "local" : undefined, maxTtftMs, rules };
  }

  #fallbackOf(model: string | undefined): Found {
    const route =
      model !== undefined && Object.hasOwn(this.#config.models, model) ? this.#config.models[model] : undefined;
    if (model === undefined || route?.fallback === undefined) return undefined;
    return this.chain(route.fallback, ["models", model, "fallback"], false);
  }

  /** What a name of the config, or a built-in alias, means. */
  #named(name: string): Found {
    if (this.#known.has(name)) return this.#known.get(name);
    this.#open.push(name);
    const found = this.#resolveNamed(name);
    this.#open.pop();
    this.#known.set(name, found);
    return found;
  }

  #resolveNamed(name: string): Found {
    const { aliases, models } = this.#config;
    const alias = Object.hasOwn(aliases, name) ? aliases[name] : undefined;
    if (alias !== undefined) return this.#firstOf(alias, ["aliases", name]);
    const route = Object.hasOwn(models, name) ? models[name] : undefined;
    if (route !== undefined) {
      const at = ["models", name, "targets"];
      const before = this.#resolution.faults.length;
      const targets = route.targets === undefined ? this.#index.all : this.chain(route.targets, at, false);
      // Who names this route among other targets gets no more than it may have itself.
      const allowed =
        route.data === "local-only" ? targets.filter(({ upstream }) => upstream.placement === "local") : targets;
      if (allowed.length === 0 && this.#resolution.faults.length === before) {
        const expected = route.data === undefined ? "at least one target that exists" : "at least one local target";
        this.#resolution.faults.push({ at, what: "finds no deployment that it may use", expected });
      }
      return allowed;
    }
    const own = this.#index.find(name);
    if (own !== undefined) return own;
    const builtIn = defaultAliases.find((entry) => entry.name === name);
    for (const candidate of builtIn?.candidates ?? []) {
      const found = this.#candidate(candidate);
      if (found !== undefined && found.length > 0) return found;
    }
    return undefined;
  }

  #firstOf(alias: string | readonly string[], at: ConfigPath): Found {
    if (typeof alias === "string") {
      const found = this.#reference(alias, at, "strict");
      if (found?.length === 0) this.#noneOf(at);
      return found;
    }
    const before = this.#resolution.faults.length;
    let first: Found;
    for (const [i, candidate] of alias.entries()) {
      const found = this.#reference(candidate, [...at, i], "candidate");
      if (found !== undefined && found.length > 0) first ??= found;
    }
    if (first === undefined && this.#resolution.faults.length === before) this.#noneOf(at);
    return first;
  }

  #noneOf(at: ConfigPath): void {
    this.#resolution.faults.push({ at, what: "finds no deployment", expected: "a name that exists" });
  }

  #candidate(candidate: AliasCandidate): Found {
    if (typeof candidate === "string") return this.#reference(candidate, [], "lenient");
    return this.#index.on(candidate.placement).filter((deployment) => candidate.like.test(deployment.model));
  }

  /** `candidate`: a name that does not exist is only worth a warning, for another may. */
  #reference(reference: string, at: ConfigPath, mode: "strict" | "candidate" | "lenient"): Found {
    if (reference === "@local") return this.#index.on("local");
    if (reference === "@cloud") return this.#index.on("cloud");
    if (this.#open.includes(reference)) return this.#inner(reference, at, mode);
    const found = reference === reserved ? undefined : this.#named(reference);
    if (found !== undefined) return found;
    if (mode === "candidate")
      this.#resolution.warnings.push(`${formatPath(at)}: nothing is called ${JSON.stringify(reference)}`);
    if (mode === "strict" && !this.#isBroken(reference)) this.#unknown(reference, at);
    return undefined;
  }

  /** A name inside its own definition means the deployment of that name; without one it goes round in circles. */
  #inner(reference: string, at: ConfigPath, mode: "strict" | "candidate" | "lenient"): Found {
    const own = this.#index.find(reference);
    if (own !== undefined || mode === "lenient") return own;
    const circle = [...this.#open.slice(this.#open.indexOf(reference)), reference].join(" → ");
    this.#resolution.faults.push({
      at,
      what: `goes round in circles (${circle})`,
      expected: "a name that leads to a model",
    });
    return undefined;
  }

  /** A name that exists but whose own definition is wrong, which is noted there. */
  #isBroken(name: string): boolean {
    return Object.hasOwn(this.#config.aliases, name) || Object.hasOwn(this.#config.models, name);
  }

  #unknown(reference: string, at: ConfigPath): void {
    const { aliases, models } = this.#config;
    const own = [...this.#index.byModel.keys(), ...this.#index.byAlias.keys(), ...this.#index.byId.keys()];
    const known = ["@local", "@cloud", ...Object.keys(models), ...Object.keys(aliases), ...own];
    const shown = showValue(this.#resolution.source, at, reference);
    this.#resolution.faults.push({
      at,
      what: `${shown} names nothing that is configured`,
      value: shown,
      expected: "a model id, `<upstream>/<model>`, a public name, `@local` or `@cloud`",
      suggestion: nearNames(reference, known)[0],
    });
  }

  #checkCollisions(): void {
    const { aliases, models } = this.#config;
    const clash = (at: ConfigPath, what: string, expected = "another name") =>
      this.#resolution.faults.push({ at, what, expected, aboutKey: true });
    for (const [section, names] of [
      ["aliases", Object.keys(aliases)],
      ["models", Object.keys(models)],
    ] as const) {
      for (const name of names) {
        if (name === reserved) clash([section, name], "is taken: it asks the router to decide");
        else if (this.#index.byId.has(name)) clash([section, name], "is the full name of a deployment");
        else if (section === "aliases" && Object.hasOwn(models, name))
          clash([section, name], "is also a name under `models`");
      }
    }
    for (const [alias, deployments] of this.#index.byAlias) {
      const at = ["upstreams", deployments[0]!.upstream.name, "models"];
      const quoted = `the alias ${JSON.stringify(alias)}`;
      const owners = this.#index.byModel.get(alias) ?? this.#index.byId.get(alias);
      if (alias === reserved) clash(at, `${quoted} is taken: it asks the router to decide`);
      else if (owners !== undefined) clash(at, `${quoted} is the name of the deployment ${owners[0]?.id}`);
      else if (this.#isBroken(alias)) clash(at, `${quoted} is also a name under \`aliases\` or \`models\``);
    }
  }

  /** A limit of one attempt that is longer than the whole attempt may ever be would mean nothing. */
  #checkTimeouts(names: ReadonlyMap<string, NamedTarget>): void {
    const { source, faults } = this.#resolution;
    for (const [name, { timeouts }] of Object.entries(this.#config.models)) {
      const named = names.get(name);
      if (named === undefined) continue;
      const targets = [...named.targets, ...(named.fallback ?? this.#index.all)];
      const longestMs = timeouts?.totalMs ?? Math.max(...targets.map(({ upstream }) => upstream.timeouts.totalMs));
      for (const field of ["connectMs", "firstContentMs", "coldStartMs", "wholeMs"] as const) {
        const ms = timeouts?.[field];
        if (ms === undefined || ms <= longestMs) continue;
        const at = ["models", name, "timeouts", field];
        const shown = showValue(source, at, ms);
        const expected = `at most ${longestMs}, or a longer \`totalMs\``;
        faults.push({ at, what: `${shown} is longer than \`totalMs\``, value: shown, expected });
      }
    }
  }

  /** `cloud` and `local` keep their promise whatever the config makes of them. */
  #checkPlacements(names: ReadonlyMap<string, NamedTarget>): void {
    for (const { name, placement } of defaultAliases.filter((entry) => entry.name === entry.placement)) {
      const stray = names.get(name)?.targets.find((target) => target.upstream.placement !== placement);
      if (stray === undefined) continue;
      const section = Object.hasOwn(this.#config.aliases, name) ? "aliases" : "models";
      const what = `leads to ${stray.id}, which is ${stray.upstream.placement}`;
      this.#resolution.faults.push({
        at: [section, name],
        what,
        expected: `only ${placement} targets behind this name`,
      });
    }
  }
}

function rulesOf({ timeouts, hedge, onRefusal, afterCut }: RouteConfig): RouteRules | undefined {
  if (timeouts === undefined && hedge === undefined && onRefusal === undefined && afterCut === undefined)
    return undefined;
  const { requestMs, ...attempt } = timeouts ?? {};
  const given = Object.fromEntries(Object.entries(attempt).filter(([, ms]) => ms !== undefined));
  return { timeouts: given as Partial<Timeouts>, requestMs, hedge, onRefusal, afterCut };
}
