import type { Environment } from "@marcbachmann/cel-js";
import type { RoutingFacts } from "../../core/routing-facts.ts";
import { type FactGroup, type FactKind, type FactSchema, factSchema } from "./fact-schema.ts";
import { cel } from "./load-cel.ts";

export type Setting = string | number | boolean;
export type Settings = Readonly<Record<string, Setting>>;

/** What a condition may speak of. */
export interface ConditionScope {
  /** Checks and compiles expressions. */
  readonly environment: Environment;
  /** Variables and their fields; undefined fields are any. */
  readonly variables: ReadonlyMap<string, readonly string[] | undefined>;
  /** What expressions see; its variables are those of the facts last given to `look`. */
  readonly context: object;
  /** `headers` stand in place of the facts' own. */
  look(facts: RoutingFacts, headers?: RoutingFacts["headers"]): void;
}

/** Stands for a group of facts, so that the language knows the type of whatever object holds them. */
class View {
  of: object | undefined;
}

type ViewClass = new () => View;

function viewClass(fields: readonly string[]): ViewClass {
  class GroupView extends View {}
  for (const field of fields) {
    Object.defineProperty(GroupView.prototype, field, {
      get(this: View) {
        return (this.of as Record<string, unknown> | undefined)?.[field];
      },
    });
  }
  return GroupView;
}

const groups = Object.keys(factSchema) as FactGroup[];
const fieldsOf = (group: FactGroup): readonly string[] => Object.keys(factSchema[group]);
const views = new Map(groups.map((group) => [group, viewClass(fieldsOf(group))] as const));

function kindsOf(facts: Readonly<Record<string, FactSchema>>): Record<string, FactKind> {
  return Object.fromEntries(Object.entries(facts).map(([name, { kind }]) => [name, kind]));
}

/** All numbers are one kind here, so whole numbers in an expression meet facts and settings as they are. */
function mixNumbers(environment: Environment): void {
  const equal = (a: unknown, b: unknown): boolean => a === Number(b);
  const holds = (a: unknown, list: Iterable<unknown>): boolean => [...list].some((entry) => equal(a, entry));
  environment.registerOperator("double == int", equal);
  environment.registerOperator("double in list<int>", holds);
  const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => a / b,
  };
  for (const [sign, compute] of Object.entries(operations)) {
    const mixed = (a: number | bigint, b: number | bigint): number => compute(Number(a), Number(b));
    environment.registerOperator(`double ${sign} int: double`, mixed);
    environment.registerOperator(`int ${sign} double: double`, mixed);
  }
}

function makeBase(withTarget: boolean): Environment {
  const environment = new (cel().Environment)({ limits: { maxAstNodes: 1_000, maxDepth: 50 } });
  for (const group of groups) {
    if (group === "target" && !withTarget) continue;
    const ctor = views.get(group);
    if (ctor === undefined) continue;
    environment.registerType(`${group}Facts`, { ctor, fields: kindsOf(factSchema[group]) });
    environment.registerVariable(group, `${group}Facts`);
  }
  environment.registerVariable("headers", "map<string, string>");
  mixNumbers(environment);
  return environment;
}

const bases = new Map<boolean, Environment>();

function baseOf(withTarget: boolean): Environment {
  const known = bases.get(withTarget);
  if (known !== undefined) return known;
  const made = makeBase(withTarget);
  bases.set(withTarget, made);
  return made;
}

function kindOfSetting(value: Setting): FactKind {
  if (typeof value === "number") return "double";
  return typeof value === "boolean" ? "bool" : "string";
}

/** What is looked at now. One for the process: evaluation is synchronous, and nothing of an earlier request is kept by others. */
let current: RoutingFacts | undefined;
let currentHeaders: RoutingFacts["headers"] | undefined;
const stands = new Map(groups.map((group) => [group, new (views.get(group) ?? View)()] as const));

function makeContext(settingsView: View | undefined): object {
  const context = {};
  // Read when asked: `local` and `cloud` are computed only for conditions that speak of them.
  for (const [group, view] of stands) {
    Object.defineProperty(context, group, {
      get() {
        view.of = current?.[group];
        return view;
      },
    });
  }
  Object.defineProperty(context, "headers", { get: () => currentHeaders ?? current?.headers });
  if (settingsView !== undefined) {
    Object.defineProperty(context, "settings", {
      get() {
        settingsView.of = current?.settings;
        return settingsView;
      },
    });
  }
  return context;
}

/**
 * Makes what conditions of one strategy are compiled in: `settings` are its own, typed as they are given; undefined where
 * there is no strategy. Costs about 0.1 ms.
 */
export function conditionScope(settings: Settings | undefined, withTarget: boolean): ConditionScope {
  const environment = baseOf(withTarget).clone();
  const variables = new Map<string, readonly string[] | undefined>();
  for (const group of groups) if (group !== "target" || withTarget) variables.set(group, fieldsOf(group));
  variables.set("headers", undefined);
  let settingsView: View | undefined;
  if (settings !== undefined) {
    const fields = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, kindOfSetting(value)]));
    const ctor = viewClass(Object.keys(settings));
    environment.registerType("strategySettings", { ctor, fields });
    environment.registerVariable("settings", "strategySettings");
    variables.set("settings", Object.keys(settings));
    settingsView = new ctor();
  }
  return {
    environment,
    variables,
    context: makeContext(settingsView),
    look(facts, headers) {
      current = facts;
      currentHeaders = headers;
    },
  };
}
