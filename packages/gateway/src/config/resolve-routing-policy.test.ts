import { describe, expect, test } from "bun:test";
import { routingFacts } from "../../test/fixtures/routing-facts.ts";
import { ConfigError } from "./config-error.ts";
import { parseConfig } from "./load-config.ts";
import { resolveCatalogue } from "./resolve-catalogue.ts";

const upstreams = `upstreams:
  a: { preset: vllm, region: eu-central, models: [{ id: large }, { id: small }] }
  b: { preset: vllm, baseUrl: "http://127.0.0.1:9/v1", models: [{ id: large }] }
routing:
`;

function load(text: string) {
  const { config, source } = parseConfig(upstreams + text, "f.yaml", {});
  return resolveCatalogue(config, { source, env: {} });
}

function problems(text: string): string[] {
  try {
    load(text);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(
      ({ path, what, suggestion }) => `${path}: ${what}${suggestion ? ` (${suggestion}?)` : ""}`,
    );
  }
}

describe("residency", () => {
  test("is about requests by their facts", () => {
    const [rule, other] = load(
      "  residency: [{ name: health, when: key.team == 'health', placement: local }, { name: eu, regions: [eu-central] }]",
    ).catalogue.residency;
    expect(rule).toMatchObject({ name: "health", placement: "local", regions: undefined });
    expect(rule?.when?.(routingFacts({ key: { team: "health" } }))).toBe(true);
    expect(rule?.when?.(routingFacts())).toBe(false);
    expect(other).toEqual({ name: "eu", when: undefined, placement: undefined, regions: ["eu-central"] });
  });

  test.each([
    ["headers['x-class'] != 'public'", true],
    ["!(headers['x-class'] == 'public') && request.turns == 1", true],
    ["headers['x-class'] == 'secret'", false],
    ["'x-class' in headers && headers['x-class'] == 'secret'", false],
    ["request.signals[3] == 'math'", true],
    ["headers['x-class'] == 'secret' || int(request.model) > 5", true],
  ])("fails closed where a header was not sent or nothing can be computed: %s", (when, binds) => {
    const [rule] = load(`  residency: [{ name: r, when: "${when}", placement: local }]`).catalogue.residency;
    expect(rule?.when?.(routingFacts())).toBe(binds);
    expect(rule?.when?.(routingFacts({ headers: { "x-other": "a" } }))).toBe(binds);
  });

  test("lets go of whoever sends the header that it asks for", () => {
    const [rule] = load(`  residency: [{ name: r, when: "headers['x-class'] != 'public'", placement: local }]`)
      .catalogue.residency;
    expect(rule?.when?.(routingFacts({ headers: { "x-class": "public" } }))).toBe(false);
    expect(rule?.when?.(routingFacts({ headers: { "x-class": "internal" } }))).toBe(true);
  });

  test("knows neither targets nor settings", () => {
    expect(problems("  residency: [{ name: r, when: target.ready, placement: local }]")).toEqual([
      "routing.residency[0].when: `target` is not known here",
    ]);
    expect(problems("  residency: [{ name: r, when: settings.x, placement: local }]")).toEqual([
      "routing.residency[0].when: `settings` is not known here",
    ]);
  });

  test("of a region in which nothing is warns that requests are refused", () => {
    expect(load("  residency: [{ name: r, regions: [eu-centrl] }]").warnings).toEqual([
      "routing.residency[0].regions: no upstream is in any of them, so such requests are refused; did you mean `eu-central`?",
    ]);
  });

  test("has names of its own", () => {
    const text = "  residency: [{ name: r, placement: local }, { name: r, placement: cloud }]";
    expect(problems(text)).toEqual(['routing.residency[1].name: "r" is also the name of entry 1']);
  });
});

describe("experiments", () => {
  test("resolve their arms", () => {
    const [experiment] = load(
      "  experiments: [{ name: e, models: [large], sticky: key, when: request.stream, arms: [{ name: x, targets: [small, a/large], weight: 3 }, { name: y, strategy: latency }] }]",
    ).catalogue.experiments;
    expect(experiment).toMatchObject({ name: "e", models: ["large"], sticky: "key" });
    expect(
      experiment?.arms.map(({ weight, strategy, targets }) => [weight, strategy, targets?.map(({ id }) => id)]),
    ).toEqual([
      [3, undefined, ["a/small", "a/large"]],
      [1, "fast", undefined],
    ] as never);
  });

  test("refuse what is unknown, and names that stand twice", () => {
    const text =
      "  experiments: [{ name: e, models: [larg, auto], arms: [{ name: x, targets: [smal] }, { name: x, strategy: auto }] }]";
    expect(problems(text)).toEqual([
      'routing.experiments[0].models[0]: "larg" names nothing that is configured (large?)',
      'routing.experiments[0].arms[0].targets[0]: "smal" names nothing that is configured (small?)',
      'routing.experiments[0].arms[1].name: "x" is also the name of entry 1',
    ]);
  });
});

describe("shadows", () => {
  test("copy to exactly one deployment", () => {
    const [shadow] = load("  shadows: [{ name: s, target: small, maxUsdPerDay: 2 }]").catalogue.shadows;
    expect(shadow).toMatchObject({ name: "s", sample: 0.05, maxConcurrent: 4, maxUsdPerDay: 2, when: undefined });
    expect(shadow?.target.id as string).toBe("a/small");
  });

  test("refuse a name of several, and of none", () => {
    expect(problems("  shadows: [{ name: s, target: large }]")).toEqual([
      'routing.shadows[0].target: "large" means 2 deployments (a/large?)',
    ]);
    expect(problems("  shadows: [{ name: s, target: smal }]")).toEqual([
      'routing.shadows[0].target: "smal" names nothing that is configured (small?)',
    ]);
    expect(problems('  shadows: [{ name: s, target: "@cloud" }]')).toEqual([
      'routing.shadows[0].target: "@cloud" means 0 deployments',
    ]);
  });
});
