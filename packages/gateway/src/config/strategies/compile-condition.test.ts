import { describe, expect, test } from "bun:test";
import type { ConditionConfig } from "@fairlead/contract/strategy-schema";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { routingFacts, type SomeFacts, targetFacts } from "../../../test/fixtures/routing-facts.ts";
import type { RequestFacts, TargetFacts } from "../../core/routing-facts.ts";
import type { Fault } from "../config-error.ts";
import { compileCondition } from "./compile-condition.ts";
import { conditionScope } from "./condition-scope.ts";

const inWhen = conditionScope({ threshold: 0.7, mode: "fast", open: true }, false);
const inWhere = conditionScope({}, true);

function compile(condition: ConditionConfig, scope = inWhen) {
  const faults: Fault[] = [];
  return { compiled: compileCondition(condition, ["when"], scope, faults), faults };
}

function holds(condition: ConditionConfig, facts: SomeFacts = {}, scope = inWhen): boolean {
  const { compiled, faults } = compile(condition, scope);
  expect(faults).toEqual([]);
  if (compiled === undefined) throw new Error("a condition was expected");
  return compiled.test(routingFacts(facts));
}

function faultOf(condition: ConditionConfig, scope = inWhen): Fault {
  const { compiled, faults } = compile(condition, scope);
  expect(compiled).toBeUndefined();
  const [fault] = faults;
  if (fault === undefined) throw new Error("a fault was expected");
  return fault;
}

describe("an expression", () => {
  test("compares facts with whole numbers and fractions alike", () => {
    const facts: SomeFacts = { request: { promptTokens: 3_000, complexity: 0.5 } };
    for (const text of [
      "request.promptTokens > 2000",
      "request.promptTokens == 3000",
      "3000 == request.promptTokens",
      "request.promptTokens != 2000",
      "request.promptTokens in [1, 3000]",
      "request.promptTokens + 500 >= 3500",
      "request.promptTokens * 2 == 6000.0",
      "request.complexity * 2 >= 1",
    ]) {
      expect({ text, holds: holds(text, facts) }).toEqual({ text, holds: true });
    }
    expect(holds("request.promptTokens > 3000", facts)).toBe(false);
    expect(holds("request.promptTokens in [1, 2]", facts)).toBe(false);
    expect(holds("request.promptTokens != 3000", facts)).toBe(false);
  });

  test("reads lists, headers, key, time and settings", () => {
    expect(holds("'math' in request.signals", { request: { signals: ["math"] } })).toBe(true);
    expect(holds("'batch' in key.tags && key.team == 'search'", { key: { tags: ["batch"], team: "search" } })).toBe(
      true,
    );
    expect(holds("headers['x-tier'] == 'gold'", { headers: { "x-tier": "gold" } })).toBe(true);
    expect(holds("now.hour >= 22 || now.weekday > 5", { now: { weekday: 6 } })).toBe(true);
    const settings = { threshold: 0.7, mode: "fast", open: true };
    expect(holds("request.complexity >= settings.threshold", { request: { complexity: 0.7 }, settings })).toBe(true);
    expect(holds("request.complexity >= settings.threshold", { request: { complexity: 0.69 }, settings })).toBe(false);
    expect(holds("settings.open && settings.mode == 'fast'", { settings })).toBe(true);
    expect(holds("request.maxLatencyMs < 500")).toBe(false);
  });

  test("reads facts that are getters of a class, as live ones are", () => {
    class LiveTarget {
      reads = 0;
      readonly tags = ["code"] as const;
      get placement() {
        return "local" as const;
      }
      get queueDepth() {
        this.reads += 1;
        return 3;
      }
    }
    class LiveRequest {
      get promptTokens() {
        return 400;
      }
      get task() {
        return "math" as const;
      }
    }
    const target = new LiveTarget();
    const { compiled } = compile(
      "request.promptTokens < 500 && target.queueDepth <= 3 && 'code' in target.tags",
      inWhere,
    );
    const facts = {
      ...routingFacts(),
      request: new LiveRequest() as unknown as RequestFacts,
      target: target as unknown as TargetFacts,
    };
    expect(compiled?.test(facts)).toBe(true);
    expect(target.reads).toBe(1);
    expect(compiled?.test({ ...facts, target: targetFacts(deployment(upstream("v", "local"), "m")) })).toBe(false);
  });

  test("asks a group of facts only when it speaks of it", () => {
    const { compiled } = compile("request.turns > 5 && local.ready > 0");
    const facts = {
      ...routingFacts(),
      get local(): never {
        throw new Error("nobody asked");
      },
    };
    expect(compiled?.test(facts)).toBe(false);
  });
});

describe("a header that was not sent", () => {
  test.each([
    "headers['x-a'] == 'b'",
    "headers['x-a'] != 'b'",
    "!(headers['x-a'] == 'b')",
    "headers['x-a'] == 'b' && request.turns == 1",
    "headers['x-a'] == 'b' || headers['x-b'] == 'b'",
    "headers['x-a'].startsWith('b')",
  ])("makes a condition false: %s", (text) => {
    expect(holds(text)).toBe(false);
  });

  test("leaves the other side of `||` its say", () => {
    expect(holds("headers['x-a'] == 'b' || request.turns == 1")).toBe(true);
    expect(holds("request.turns == 1 || headers['x-a'] == 'b'")).toBe(true);
    expect(
      holds("(headers['x-a'] == 'b' || headers['x-b'] == 'c') && request.turns == 1", { headers: { "x-b": "c" } }),
    ).toBe(true);
    expect(holds("!('x-a' in headers)")).toBe(true);
  });
});

test("a condition that cannot be computed is false, never an exception", () => {
  expect(holds("request.signals[3] == 'math'")).toBe(false);
  expect(holds("int(request.model) > 5")).toBe(false);
});

describe("fields and values", () => {
  const cases: readonly (readonly [ConditionConfig, string])[] = [
    [{ "request.task": "translation" }, "request.task == 'translation'"],
    [{ "request.promptTokens": { gt: 100, lte: 500 } }, "request.promptTokens > 100 && request.promptTokens <= 500"],
    [{ "request.promptTokens": { gte: 100, lt: 500 } }, "request.promptTokens >= 100 && request.promptTokens < 500"],
    [{ "request.signals": "math" }, "'math' in request.signals"],
    [{ "request.signals": { not: "math" } }, "!('math' in request.signals)"],
    [{ "request.signals": { in: ["math", "digits"] } }, "'math' in request.signals || 'digits' in request.signals"],
    [
      { "request.task": { in: ["math", "chat"], not: "chat" } },
      "request.task in ['math', 'chat'] && request.task != 'chat'",
    ],
    [{ "request.hasTools": true, "key.team": "search" }, "request.hasTools && key.team == 'search'"],
    [{ "headers.x-team": "search" }, "headers['x-team'] == 'search'"],
    [{ "headers.x-team": { not: "search" } }, "headers['x-team'] != 'search'"],
    [{ "request.turns": 3 }, "request.turns == 3"],
  ];
  const facts: readonly SomeFacts[] = [
    {},
    { request: { task: "translation", promptTokens: 100, hasTools: true }, key: { team: "search" } },
    { request: { task: "math", promptTokens: 300, signals: ["math"], turns: 3 }, headers: { "x-team": "search" } },
    { request: { task: "chat", promptTokens: 500, signals: ["digits"] }, headers: { "x-team": "ads" } },
    { request: { promptTokens: 501, signals: ["math", "digits"] } },
  ];
  test.each(cases)("%j means the same as %s", (fields, text) => {
    const both = facts.map((some) => [holds(fields, some), holds(text, some)]);
    for (const [a, b] of both) expect(a).toBe(b as boolean);
    expect(new Set(both.flat())).toEqual(new Set([true, false]));
  });
});

describe("refused with what would be right", () => {
  test.each([
    ["request.tsk == 'math'", "`request.tsk` is no fact that is known", "request.task", 0],
    [
      "request.turns > 1 && request.promptToken > 5",
      "`request.promptToken` is no fact that is known",
      "request.promptTokens",
      21,
    ],
    ["reqest.turns > 1", "`reqest` is nothing that is known", "request", 0],
    ["promptTokens > 1", "`promptTokens` is nothing that is known", "request.promptTokens", 0],
    ["settings.treshold > 1", "`settings.treshold` is no fact that is known", "settings.threshold", 0],
    ["request.task == 5", "`==` stands between text and a number", undefined, 0],
    ["request.turns > 'a'", "`>` stands between a number and text", undefined, 0],
    ["request.task", "is text", undefined, 0],
    ["request == 5", "`request` is a group of facts, not a value", undefined, 0],
    ["target.ready", "`target` is not known here", undefined, 0],
    ["request.task ==", "is no condition (Unexpected token: EOF)", undefined, 15],
    ["request.task == 'cooking'", '`request.task` is never "cooking"', undefined, 16],
    ["request.turns > 1 && request.task == 'maths'", '`request.task` is never "maths"', "math", 37],
    ["'maths' in request.signals", '`request.signals` is never "maths"', "math", 0],
    ["request.language == 'german'", '`request.language` is never "german"', undefined, 20],
    ["headers['X-Team'] == 'a'", "the header `X-Team` is never there", "x-team", 21],
    ["request.model.matches('(')", '"(" is no pattern', undefined, 22],
    ["request.model.matches(headers['x-p'])", "takes its pattern from a request", undefined, 22],
    ["request.model.matches('^' + key.team)", "takes its pattern from a request", undefined, 22],
    [
      "headers['x-secret-class'] == 'a'",
      "the header `x-secret-class` is kept from conditions, for its name is that of a secret",
      undefined,
      29,
    ],
  ] as const)("%s", (text, what, suggestion, offset) => {
    const fault = faultOf(text);
    expect({ what: fault.what, suggestion: fault.suggestion, offset: fault.offset }).toEqual({
      what,
      suggestion,
      offset,
    });
    expect(fault.expected).not.toBe("");
  });

  test("target is known in `where`", () => {
    expect(compile("target.ready", inWhere).faults).toEqual([]);
    expect(faultOf("target.placement == 'onprem'", inWhere).what).toBe('`target.placement` is never "onprem"');
  });

  test("a field in the short form is told at its own place", () => {
    expect(faultOf({ "request.turns": 1, "request.tsk": "math" })).toMatchObject({
      at: ["when", "request.tsk"],
      suggestion: "request.task",
      aboutKey: true,
    });
    expect(faultOf({ "request.task": "cooking" })).toMatchObject({ at: ["when", "request.task"], aboutKey: false });
    expect(faultOf({ "request.task": {} }).what).toBe("asks nothing");
    expect(faultOf({ "request.task": 5 }).what).toBe("`==` stands between text and a number");
  });
});

describe("conditions that can never hold", () => {
  test.each([
    ["false", "is always false"],
    ["1 > 2", "is always false"],
    ["request.promptTokens > 100 && request.promptTokens < 50", "`request.promptTokens`"],
    ["request.promptTokens > 100 && request.promptTokens <= 100", "`request.promptTokens`"],
    ["50 > request.promptTokens && !(request.promptTokens <= 60)", "`request.promptTokens`"],
    ["request.promptTokens < 0", "`request.promptTokens`"],
    ["request.complexity > 1.5", "`request.complexity`"],
    ["now.hour == 24", "`now.hour`"],
    ["request.task == 'math' && request.task == 'chat'", "`request.task`"],
    ["request.task in ['math', 'chat'] && request.task == 'writing'", "`request.task`"],
    ["request.hasTools && !request.hasTools", "`request.hasTools`"],
    ["'math' in request.signals && !('math' in request.signals)", "`request.signals`"],
    ["(request.turns > 3 && request.turns < 2) || (request.turns < 0)", "`request.turns`"],
    ["key.team == 'a' && key.team != 'a'", "`key.team`"],
  ])("%s", (text, part) => {
    expect(faultOf(text).what).toContain(part);
  });

  test("are told apart from those that rarely do", () => {
    for (const text of [
      "request.promptTokens > 100 && request.promptTokens < 101",
      "request.promptTokens >= 100 && request.promptTokens <= 100",
      "request.turns < 2 || request.turns > 3",
      "request.task != 'math' && request.task != 'chat'",
      "'math' in request.signals && 'digits' in request.signals",
      "key.team == 'a' || key.team == 'b'",
      "settings.threshold > 5",
      "request.complexity >= 1",
    ]) {
      expect({ text, faults: compile(text).faults }).toEqual({ text, faults: [] });
    }
  });

  test("of short forms contradict themselves over fields too", () => {
    expect(faultOf({ "request.promptTokens": { gt: 100, lt: 50 } }).what).toContain("can never hold");
  });
});

test("conditions that always hold are known, but nothing is sure about headers", () => {
  const always = (text: string): boolean | undefined => compile(text).compiled?.always;
  for (const text of [
    "true",
    "request.promptTokens >= 0",
    "request.turns > 5 || request.turns <= 5",
    "request.stream || !request.stream",
  ])
    expect({ text, always: always(text) }).toEqual({ text, always: true });
  for (const text of [
    "request.turns > 5",
    "headers['x-a'] == 'b' || headers['x-a'] != 'b'",
    "settings.open || true == request.stream",
  ])
    expect({ text, always: always(text) }).toEqual({ text, always: false });
});

test("conditions in other words have other texts, the same words the same", () => {
  const textOf = (condition: ConditionConfig): string | undefined => compile(condition).compiled?.text;
  expect(textOf("request.turns>5")).toBe(textOf({ "request.turns": { gt: 5 } }) as string);
  expect(textOf("request.turns > 5")).not.toBe(textOf("request.turns > 6") as string);
});
