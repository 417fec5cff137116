import { describe, expect, test } from "bun:test";
import { builtInStrategies as builtInNames } from "@fairlead/contract/routing-names";
import { routingFacts, type SomeFacts } from "../../../test/fixtures/routing-facts.ts";
import type { Catalogue } from "../../core/gateway-model.ts";
import { ConfigError } from "../config-error.ts";
import { parseConfig } from "../load-config.ts";
import { resolveCatalogue } from "../resolve-catalogue.ts";
import { builtInFiles } from "./built-in-strategies.ts";

const upstreams = `upstreams:
  vllm: { preset: vllm, region: eu-central, models: [{ id: qwen2.5-7b }, { id: coder-7b, tags: [code] }] }
  gpu: { preset: vllm, baseUrl: "http://127.0.0.1:9/v1", models: [{ id: qwen2.5-7b }] }
  cloudy: { preset: anthropic, auth: { type: header, name: x-api-key, key: "\${KEY}" } }
`;
const env = { KEY: "fake" };

function load(text: string): { catalogue: Catalogue; warnings: readonly string[] } {
  const { config, source } = parseConfig(upstreams + text, "f.yaml", env);
  return resolveCatalogue(config, { source, env });
}

/** Problems as they are printed; lines count from the end of the upstreams. */
function problems(text: string): string[] {
  try {
    load(text);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(({ path, line = 0, column, what, suggestion }) => {
      const hint = suggestion === undefined ? "" : ` (${suggestion}?)`;
      return `${line - 4}:${column} ${path}: ${what}${hint}`;
    });
  }
}

function strategy(text: string, name = "mine") {
  const found = load(`strategies:\n${text}`).catalogue.strategies.get(name);
  if (found === undefined) throw new Error("a strategy was expected");
  return found;
}

const rules = (text: string): string[] => problems(`strategies:\n  mine:\n    rules:\n${text}`);

describe("strategies of a config", () => {
  test("stand beside all built-in ones", () => {
    const { strategies, defaultStrategy } = load(
      "strategies: { mine: { rules: [{ name: a, prefer: {} }] } }",
    ).catalogue;
    expect([...strategies.keys()]).toEqual([...builtInNames, "mine"]);
    expect(defaultStrategy).toBe("auto");
    expect(strategies.get("mine")?.origin).toBe("config");
    expect(strategies.get("auto")?.origin).toBe("built-in");
  });

  test("compile conditions in both forms, selections, reason, confinement and control", () => {
    const mine = strategy(`  mine:
    description: Mine.
    settings: { long: 100 }
    control: { cloudShare: 0.3 }
    rules:
      - name: short
        when: { request.task: chat, request.promptTokens: { lt: 100 } }
        prefer: { targets: [coder-7b, "@autoCloud"], limit: 2, order: [cheapest, quality], balance: weighted }
        fallback: []
        confinedTo: local
      - name: long
        when: request.promptTokens > settings.long
        reason: long_context
        prefer: [{ placement: local, tags: [code] }, { placement: cloud, where: target.fits }]
        fallback: { targets: ["@longContext"] }
      - { name: rest, prefer: {} }`);
    expect(mine.control).toEqual({ kind: "cloud-share", share: 0.3 });
    const [short, long, rest] = mine.rules;
    const holds = (facts: SomeFacts): unknown[] =>
      mine.rules.map(({ when }) => when?.(routingFacts({ ...facts, settings: mine.settings })));
    expect(holds({ request: { task: "chat", promptTokens: 99 } })).toEqual([true, false, undefined]);
    expect(holds({ request: { task: "chat", promptTokens: 101 } })).toEqual([false, true, undefined]);
    expect(short?.prefer[0]).toMatchObject({ limit: 2, order: ["cheapest", "quality"], balance: "weighted" });
    expect(short?.prefer[0]?.targets.map(({ id }) => id as string).slice(0, 2)).toEqual([
      "vllm/coder-7b",
      "cloudy/claude-sonnet-4-6",
    ]);
    expect({ fallback: short?.fallback, confinedTo: short?.confinedTo }).toEqual({ fallback: [], confinedTo: "local" });
    expect(long?.reason).toBe("long_context");
    expect(long?.prefer.map(({ targets }) => targets.length)).toEqual([1, load("").catalogue.deployments.length - 3]);
    expect(long?.fallback?.[0]?.targets[0]?.model).toBe("claude-haiku-4-5-20251001");
    expect(rest).toMatchObject({ when: undefined, fallback: undefined, reason: "strategy" });
    expect(rest?.prefer[0]?.targets).toHaveLength(load("").catalogue.deployments.length);
  });

  test("with the name of a built-in one replace it", () => {
    const cost = strategy("  cost: { rules: [{ name: only rule, prefer: { placement: local } }] }", "cost");
    expect(cost.rules.map(({ name }) => name)).toEqual(["only rule"]);
    expect(cost.origin).toBe("config");
  });

  test("with settings and control alone are laid over the built-in one, whose comments stay", () => {
    const hybrid = strategy("  hybrid: { settings: { maxQueueDepth: 3 }, control: { dollarsPerDay: 5 } }", "hybrid");
    expect(hybrid.settings).toEqual({
      localCostThreshold: 0.01,
      maxQueueDepth: 3,
      maxLatencyMs: 5_000,
      externalFallback: true,
    });
    expect(hybrid.control).toEqual({ kind: "dollars-per-day", dollars: 5 });
    expect(hybrid.rules.map(({ name }) => name)).toEqual(["local is cheap and free", "cheapest cloud", "local only"]);
    expect(hybrid.source).toContain("maxQueueDepth: 3");
    expect(hybrid.source).toContain("# An unpriced local target counts as cheap");
    expect(hybrid.origin).toBe("config");
  });

  test("written out again mean the same", () => {
    const first = strategy(`  mine:
    settings: { limit: 5 }
    rules:
      - { name: a, when: request.turns > settings.limit, reason: complex, prefer: [{ placement: cloud, order: quality }], fallback: [] }
      - { name: b, when: { request.task: { in: [math, chat] } }, prefer: { placement: local } }`);
    const again = strategy(first.source.replace(/^/gm, "  "));
    expect(again.source).toBe(first.source);
    expect(JSON.stringify(again)).toBe(JSON.stringify(first));
  });

  test("the built-in ones can be pasted under another name, whatever is configured", () => {
    for (const { name, text } of builtInFiles().values()) {
      const pasted = text.replace(`${name}:`, `my_${name}:`).replace(/^(?=.)/gm, "  ");
      expect({ name, problems: problems(`strategies:\n${pasted}`) }).toEqual({ name, problems: [] });
      const localOnly = `upstreams: { v: { preset: vllm, models: [{ id: m }] } }\nstrategies:\n${pasted}`;
      const { config, source } = parseConfig(localOnly, "f.yaml", {});
      expect(resolveCatalogue(config, { source, env: {} }).catalogue.strategies.has(`my_${name}`)).toBe(true);
    }
  });
});

describe("mistakes in conditions are told where they stand", () => {
  test.each([
    [
      "      - { name: a, when: request.tsk == 'math', prefer: {} }",
      "4:26 strategies.mine.rules[0].when: `request.tsk` is no fact that is known (request.task?)",
    ],
    [
      "      - name: a\n        when: request.turns > 1 && request.tsk == 'math'\n        prefer: {}",
      "5:36 strategies.mine.rules[0].when: `request.tsk` is no fact that is known (request.task?)",
    ],
    [
      "      - name: a\n        when: \"request.turns > 1 && request.task == 'maths'\"\n        prefer: {}",
      '5:53 strategies.mine.rules[0].when: `request.task` is never "maths" (math?)',
    ],
    [
      "      - name: a\n        when: |\n          request.turns > 1 &&\n          request.tsk == 'math'\n        prefer: {}",
      "5:15 strategies.mine.rules[0].when: `request.tsk` is no fact that is known (line 2, column 1 of the condition) (request.task?)",
    ],
    [
      "      - name: a\n        when:\n          request.turns: 1\n          request.tsk: math\n        prefer: {}",
      '7:11 strategies.mine.rules[0].when["request.tsk"]: `request.tsk` is no fact that is known (request.task?)',
    ],
    [
      "      - { name: a, when: target.ready, prefer: {} }",
      "4:26 strategies.mine.rules[0].when: `target` is not known here",
    ],
    [
      "      - { name: a, prefer: { where: target.redy } }",
      "4:37 strategies.mine.rules[0].prefer.where: `target.redy` is no fact that is known (target.ready?)",
    ],
    [
      "      - { name: a, prefer: [{}, { where: target.ttftMs }] }",
      "4:42 strategies.mine.rules[0].prefer[1].where: is a number",
    ],
    [
      "      - { name: a, when: settings.x > 1, prefer: {} }",
      "4:26 strategies.mine.rules[0].when: `settings` has no `x`",
    ],
    [
      "      - { name: a, when: request.promptTokens > 100 && request.promptTokens < 50, prefer: {} }",
      "4:26 strategies.mine.rules[0].when: can never hold, for it contradicts itself on `request.promptTokens`",
    ],
  ])("%s", (text, line) => {
    expect(rules(text)).toEqual([line]);
  });

  test("all at once", () => {
    expect(
      rules(
        "      - { name: a, when: request.tsk == 'a', prefer: { targets: [nobody] } }\n      - { name: b, when: 'false', prefer: {} }",
      ),
    ).toHaveLength(3);
  });
});

describe("rules that do nothing are refused", () => {
  test.each([
    [
      "behind one that takes everything",
      "{ name: a, prefer: {} }",
      "{ name: b, when: request.turns > 1, prefer: { placement: local } }",
      '5:9 strategies.mine.rules[1]: is never reached: the rule "a" before it takes every request',
    ],
    [
      "behind a condition that always holds",
      "{ name: a, when: request.turns >= 0, prefer: {} }",
      "{ name: b, prefer: { placement: local } }",
      '5:9 strategies.mine.rules[1]: is never reached: the rule "a" before it takes every request',
    ],
    [
      "with the same condition and selection",
      "{ name: a, when: request.turns > 1, prefer: { placement: local } }",
      "{ name: b, when: request.turns  >  1, prefer: { placement: local } }",
      '5:9 strategies.mine.rules[1]: never decides: the rule "a" before it has the same condition and prefers the same',
    ],
    [
      "with a name twice",
      "{ name: a, when: request.turns > 1, prefer: {} }",
      "{ name: a, prefer: {} }",
      '5:17 strategies.mine.rules[1].name: "a" is also the name of rule 1',
    ],
  ])("%s", (_, first, second, line) => {
    expect(rules(`      - ${first}\n      - ${second}`)).toEqual([line]);
  });

  test("but not behind one that may select nothing", () => {
    expect(rules("      - { name: a, prefer: { where: target.ready } }\n      - { name: b, prefer: {} }")).toEqual([]);
    expect(
      rules(
        "      - { name: a, when: request.turns > 1, prefer: {} }\n      - { name: b, when: request.turns > 1, prefer: { placement: local } }",
      ),
    ).toEqual([]);
  });

  test("and not where residency, a route or the client may leave only what it prefers", () => {
    const two = (first: string, second: string): string[] =>
      rules(`      - { name: a, prefer: ${first} }\n      - { name: b, prefer: ${second} }`);
    expect(two("{ placement: cloud }", "{ placement: local }")).toEqual([]);
    expect(two("{ targets: [coder-7b] }", "{ placement: local }")).toEqual([]);
    expect(two("[{ placement: local, where: target.ready }, { placement: cloud }]", "{ placement: local }")).toEqual(
      [],
    );
    expect(two("{ placement: local }", "{ targets: [coder-7b] }")).toHaveLength(1);
    expect(two("[{ placement: local }, { placement: cloud }]", "{}")).toHaveLength(1);
  });
});

describe("selections that can never select anything are refused", () => {
  test.each([
    [
      "{ targets: [qwen2.5-8b] }",
      '4:40 strategies.mine.rules[0].prefer.targets[0]: "qwen2.5-8b" names nothing that is configured (qwen2.5-7b?)',
    ],
    [
      '{ targets: ["@autocloud"] }',
      '4:40 strategies.mine.rules[0].prefer.targets[0]: "@autocloud" is no list (@autoCloud?)',
    ],
    ["{ tags: [coed] }", '4:37 strategies.mine.rules[0].prefer.tags[0]: nobody has the tag "coed" (code?)'],
    ["{ tags: [code, premium] }", "4:36 strategies.mine.rules[0].prefer.tags: none of the"],
    [
      "{ targets: [coder-7b], placement: cloud }",
      "4:62 strategies.mine.rules[0].prefer.placement: none of these targets is cloud",
    ],
    [
      '{ targets: ["@autoCloud"], placement: local }',
      "4:66 strategies.mine.rules[0].prefer.placement: none of these targets is local",
    ],
    [
      "[{}, { where: target.placement == 'edge' }]",
      '4:62 strategies.mine.rules[0].prefer[1].where: `target.placement` is never "edge"',
    ],
    [
      "{ order: balanced, weights: { cost: 0, latency: 0, quality: 0 } }",
      "4:56 strategies.mine.rules[0].prefer.weights: are all 0",
    ],
  ])("%s", (prefer, line) => {
    const found = rules(`      - { name: a, prefer: ${prefer} }`);
    expect(found).toHaveLength(1);
    expect(found[0]).toStartWith(line);
  });

  test("a placement nobody has, in what is preferred", () => {
    const text = (field: string): string =>
      `upstreams: { v: { preset: vllm, models: [{ id: m }] } }\nstrategies: { mine: { rules: [{ name: a, prefer: {}, ${field}: { placement: cloud } }] } }`;
    const tried = (field: string): unknown => {
      const { config, source } = parseConfig(text(field).replace("prefer: {}, prefer:", "prefer:"), "f.yaml", {});
      return resolveCatalogue(config, { source, env: {} }).catalogue.strategies.size;
    };
    expect(() => tried("prefer")).toThrow("no deployment is cloud");
    expect(tried("fallback")).toBe(builtInNames.length + 1);
  });

  test("but not in a file to which upstreams are added later", () => {
    const text = "strategies: { mine: { rules: [{ name: a, prefer: { placement: cloud, tags: [coed] } }] } }";
    const { config, source } = parseConfig(text, "f.yaml", {});
    const { strategies } = resolveCatalogue(config, { source, env: {}, mayServeNothing: true }).catalogue;
    expect(strategies.get("mine")?.rules[0]?.prefer[0]?.targets).toEqual([]);
  });

  test("a promise that no preferred target keeps", () => {
    expect(rules("      - { name: a, prefer: { placement: cloud }, confinedTo: local }")).toEqual([
      "4:62 strategies.mine.rules[0].confinedTo: none of the preferred targets is local",
    ]);
  });
});

test("`self_hosted_only` keeps its promise whatever the config makes of it", () => {
  const own = (rule: string): string[] => problems(`strategies:\n  self_hosted_only:\n    rules:\n      - ${rule}`);
  expect(own("{ name: a, prefer: {} }")).toEqual([
    "4:9 strategies.self_hosted_only.rules[0]: may leave the premises, which `self_hosted_only` promises never to do",
  ]);
  expect(own("{ name: a, prefer: { placement: local } }")).toHaveLength(1);
  expect(own("{ name: a, prefer: { placement: local, order: fastest }, confinedTo: local }")).toEqual([]);
});

describe("names of strategies and settings", () => {
  test.each([
    ["strategies: { atuo: { settings: {} } }", "1:15 strategies.atuo: has no rules (auto?)"],
    [
      "strategies: { latency: { rules: [{ name: a, prefer: {} }] } }",
      "1:15 strategies.latency: is another name of `fast` (fast?)",
    ],
    [
      "strategies: { hybrid: { settings: { maxQueue: 3 } } }",
      "1:37 strategies.hybrid.settings.maxQueue: is no setting of `hybrid` (maxQueueDepth?)",
    ],
    [
      "strategies: { hybrid: { settings: { maxQueueDepth: many } } }",
      "1:52 strategies.hybrid.settings.maxQueueDepth: is of another kind than 10",
    ],
    ["routing: { strategy: atuo }", '1:22 routing.strategy: "atuo" is no strategy (auto?)'],
    ["models: { m: { strategy: hybird } }", '1:26 models.m.strategy: "hybird" is no strategy (hybrid?)'],
    [
      "routing: { experiments: [{ name: e, arms: [{ name: a, strategy: fats }, { name: b, strategy: auto }] }] }",
      '1:65 routing.experiments[0].arms[0].strategy: "fats" is no strategy (fast?)',
    ],
  ])("%s", (text, line) => {
    expect(problems(text)).toEqual([line]);
  });

  test("other names of built-in ones are known, and mean those", () => {
    const { catalogue } = load("routing: { strategy: latency }\nmodels: { m: { strategy: cluster_first } }");
    expect(catalogue.defaultStrategy).toBe("fast");
    expect(catalogue.names.get("m")?.strategy).toBe("local_first");
  });
});
