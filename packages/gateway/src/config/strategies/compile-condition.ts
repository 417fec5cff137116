import type { ConditionConfig } from "@fairlead/contract/strategy-schema";
import type { ASTNode, ParseResult } from "@marcbachmann/cel-js";
import type { RoutingFacts } from "../../core/routing-facts.ts";
import type { Condition } from "../../core/strategy.ts";
import type { ConfigPath, Fault } from "../config-error.ts";
import { factOf } from "./condition-logic.ts";
import type { ConditionScope } from "./condition-scope.ts";
import { fieldText } from "./condition-text.ts";
import { type ConditionMistake, explainConditionError, kindInWords } from "./explain-condition-error.ts";
import { isAlways, lintCondition } from "./lint-conditions.ts";
import { cel } from "./load-cel.ts";

/** A condition, and what is known of it without any request. */
export interface CompiledCondition {
  readonly test: Condition;
  /** Equal for conditions that mean the same by their words. */
  readonly text: string;
  /** It holds for every request. */
  readonly always: boolean;
}

function parse(text: string, scope: ConditionScope): ParseResult | ConditionMistake {
  try {
    const program = scope.environment.parse(text);
    const { valid, type = "", error } = program.check();
    if (valid && type === "bool") return program;
    if (error !== undefined) return explainConditionError(error, scope);
    return { what: `is ${kindInWords(type)}`, expected: "a condition, which is true or false", offset: 0 };
  } catch (thrown) {
    if (thrown instanceof cel().ParseError || thrown instanceof cel().TypeError)
      return explainConditionError(thrown, scope);
    throw thrown;
  }
}

/** Headers without which an expression cannot be told. Those under a function may be asked for with care, so they are left. */
function neededHeaders(node: ASTNode): readonly string[] {
  const fact = factOf(node);
  if (fact !== undefined) return fact.startsWith("headers.") ? [fact.slice("headers.".length)] : [];
  switch (node.op) {
    case "!_":
    case "-_":
      return neededHeaders(node.args);
    // Not `&&` and `||`: one side may decide without the other.
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "in":
      return [...neededHeaders(node.args[0]), ...neededHeaders(node.args[1])];
    case "rcall":
      return neededHeaders(node.args[1]);
    default:
      return [];
  }
}

function leafTest(program: ParseResult, scope: ConditionScope, protects: boolean): Condition {
  const { context } = scope;
  const headers = neededHeaders(program.ast);
  const evaluate = (facts: RoutingFacts, sent?: RoutingFacts["headers"]): boolean => {
    scope.look(facts, sent);
    try {
      return program(context) === true;
    } catch {
      return protects;
    }
  };
  if (headers.length === 0) return (facts) => evaluate(facts);
  const empty = Object.fromEntries(headers.map((name) => [name, ""]));
  if (protects) return (facts) => evaluate(facts, { ...empty, ...facts.headers });
  // An exception costs ten times the evaluation, and most requests do not have the header.
  return (facts) => headers.every((name) => Object.hasOwn(facts.headers, name)) && evaluate(facts);
}

/** Taken apart where headers are asked, so that one that was not sent is told without an exception. */
function testOf(program: ParseResult, scope: ConditionScope, protects: boolean): Condition {
  const { ast } = program;
  if ((ast.op !== "||" && ast.op !== "&&") || !ast.input.includes("headers")) return leafTest(program, scope, protects);
  const [left, right] = ast.args.map((side) => {
    const part = scope.environment.parse(cel().serialize(side));
    part.check();
    return testOf(part, scope, protects);
  }) as [Condition, Condition];
  return ast.op === "||" ? (facts) => left(facts) || right(facts) : (facts) => left(facts) && right(facts);
}

const isSetting = (node: ASTNode): boolean =>
  (node.op === "." || node.op === "[]") && node.args[0].op === "id" && node.args[0].args === "settings";

function badPattern(node: unknown): ConditionMistake | undefined {
  if (Array.isArray(node)) {
    for (const part of node) {
      const found = badPattern(part);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof node !== "object" || node === null || !("op" in node)) return undefined;
  const { op, args } = node as ASTNode;
  const pattern = op === "rcall" && args[0] === "matches" ? args[2][0] : undefined;
  if (pattern?.op === "value" && typeof pattern.args === "string") {
    try {
      new RegExp(pattern.args, "u");
    } catch {
      return {
        what: `${JSON.stringify(pattern.args)} is no pattern`,
        expected: "a regular expression",
        offset: pattern.start,
      };
    }
  } else if (pattern !== undefined && !isSetting(pattern)) {
    // Whoever writes a pattern decides how long it is matched.
    return {
      what: "takes its pattern from a request",
      expected: "a pattern written out, or a setting",
      offset: pattern.start,
    };
  }
  return badPattern(args);
}

function mistakesOf(program: ParseResult): readonly ConditionMistake[] {
  const pattern = badPattern(program.ast);
  return pattern === undefined ? lintCondition(program.ast) : [pattern];
}

/** Where in a text of several lines a mistake is, as its file may not spell the text as it is. */
function place(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return text.includes("\n")
    ? ` (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1} of the condition)`
    : "";
}

function fault({ what, offset, ...rest }: ConditionMistake, at: ConfigPath, text: string): Fault {
  return { at, what: `${what}${place(text, offset)}`, ...rest, offset };
}

function compileText(text: string, at: ConfigPath, scope: ConditionScope, faults: Fault[]): ParseResult | undefined {
  const parsed = parse(text, scope);
  const mistakes = "offset" in parsed ? [parsed] : mistakesOf(parsed);
  faults.push(...mistakes.map((mistake) => fault(mistake, at, text)));
  return mistakes.length > 0 || "offset" in parsed ? undefined : parsed;
}

/** Each field by itself first, so that a mistake is told where its field stands. */
function compileFields(
  fields: Exclude<ConditionConfig, string>,
  at: ConfigPath,
  scope: ConditionScope,
  faults: Fault[],
): ParseResult | undefined {
  const texts = Object.entries(fields).map(([field, test]) => {
    const text = fieldText(field, test);
    if (text === "") {
      faults.push({ at: [...at, field], what: "asks nothing", expected: "a value, bounds, `in` or `not`" });
      return undefined;
    }
    const parsed = parse(text, scope);
    const mistakes = "offset" in parsed ? [parsed] : mistakesOf(parsed);
    const aboutKey = "offset" in parsed;
    faults.push(...mistakes.map(({ offset: _, ...mistake }) => ({ at: [...at, field], ...mistake, aboutKey })));
    return mistakes.length > 0 ? undefined : `(${text})`;
  });
  if (texts.includes(undefined)) return undefined;
  return compileText(texts.length === 0 ? "true" : texts.join(" && "), at, scope, faults);
}

/**
 * Compiles a condition of the config, in either form, into a function that takes about 0.2 µs. What is wrong with it, or
 * makes it pointless, is added to `faults`; undefined then. One that cannot be computed is false, and a header that was not
 * sent makes a comparison false; one that `protects` data holds then, and takes such a header as an empty one.
 */
export function compileCondition(
  config: ConditionConfig,
  at: ConfigPath,
  scope: ConditionScope,
  faults: Fault[],
  protects = false,
): CompiledCondition | undefined {
  const program =
    typeof config === "string" ? compileText(config, at, scope, faults) : compileFields(config, at, scope, faults);
  if (program === undefined) return undefined;
  const { ast } = program;
  return { test: testOf(program, scope, protects), text: cel().serialize(ast), always: isAlways(ast) };
}
