import type { ASTNode, TypeError as CelTypeError, ParseError } from "@marcbachmann/cel-js";
import { nearNames } from "../../lib/near-names.ts";
import type { Fault } from "../config-error.ts";
import type { ConditionScope } from "./condition-scope.ts";
import { factSchema } from "./fact-schema.ts";

/** A mistake in an expression, without its place in the config. */
export type ConditionMistake = Pick<Fault, "what" | "expected" | "suggestion"> & {
  /** Characters from the beginning of the expression. */
  readonly offset: number;
};

const kindWords: readonly (readonly [RegExp, string])[] = [
  [/^(int|uint|double)$/, "a number"],
  [/^string$/, "text"],
  [/^bool$/, "true or false"],
  [/^list</, "a list"],
  [/^map</, "a mapping"],
];

/** Plain words for a type of the expression language. */
export function kindInWords(type: string): string {
  return kindWords.find(([pattern]) => pattern.test(type))?.[1] ?? type;
}

const listed = (names: readonly string[]): string => `one of ${names.join(", ")}`;

function unknownField(
  node: ASTNode | undefined,
  name: string,
  scope: ConditionScope,
): Omit<ConditionMistake, "offset"> {
  const left = node?.op === "." || node?.op === "[]" ? node.args[0] : undefined;
  const group = left?.op === "id" ? left.args : "";
  const known = scope.variables.get(group) ?? [];
  const near = nearNames(name, known)[0];
  if (known.length === 0) {
    return { what: `\`${group}\` has no \`${name}\``, expected: "a value that is given under `settings`" };
  }
  return {
    what: `\`${group}.${name}\` is no fact that is known`,
    expected: `\`${group}.\` and ${listed(known)}`,
    suggestion: near === undefined ? undefined : `${group}.${near}`,
  };
}

function unknownVariable(name: string, scope: ConditionScope): Omit<ConditionMistake, "offset"> {
  if (name === "target") {
    return { what: "`target` is not known here", expected: "it in `where` only, which is asked for each target" };
  }
  if (name === "settings") return { what: "`settings` is not known here", expected: "it in the rules of a strategy" };
  const paths = [...scope.variables].flatMap(([group, fields]) => (fields ?? []).map((field) => `${group}.${field}`));
  const exact = paths.find((path) => path.endsWith(`.${name}`));
  const near = exact ?? nearNames(name, scope.variables.keys())[0];
  return {
    what: `\`${name}\` is nothing that is known`,
    expected: listed([...scope.variables.keys()]),
    suggestion: near,
  };
}

function mismatch(summary: string): Omit<ConditionMistake, "offset"> {
  const sides = /: (\S.*?) (==|!=|<=?|>=?|in|\+|-|\*|\/|%) (\S.*)$/.exec(summary);
  if (sides === null) return { what: `does not fit together (${summary})`, expected: "values of one kind" };
  const [, left = "", sign = "", right = ""] = sides;
  const group = [left, right].find((side) => /Facts$|^strategySettings$/.test(side));
  if (group !== undefined) {
    const name = group === "strategySettings" ? "settings" : group.replace(/Facts$/, "");
    return { what: `\`${name}\` is a group of facts, not a value`, expected: `one of its facts, as in \`${name}.…\`` };
  }
  const what = `\`${sign}\` stands between ${kindInWords(left)} and ${kindInWords(right)}`;
  return { what, expected: sign === "in" ? "a value, and a list of such values" : "values of one kind" };
}

/** Says in plain words what is wrong with an expression that could not be parsed or does not fit the facts. */
export function explainConditionError(error: ParseError | CelTypeError, scope: ConditionScope): ConditionMistake {
  const offset = error.range?.start ?? 0;
  const summary = error.summary ?? error.message.split("\n")[0] ?? "";
  const [, name = ""] = /: ([\w-]+)$/.exec(summary) ?? [];
  switch (error.code) {
    case "no_such_key": {
      const node = error.node as ASTNode | undefined;
      const text = error.node?.input ?? "";
      const begin = node?.start ?? offset;
      return { ...unknownField(node, name, scope), offset: groupBefore(text, offset) ?? begin };
    }
    case "unknown_variable":
      return { ...unknownVariable(name, scope), offset };
    case "no_such_overload":
      return { ...mismatch(summary), offset };
    default:
      return { what: `is no condition (${summary})`, expected: "a CEL expression that is true or false", offset };
  }
}

/** Where the group before a field begins, so that messages point at `request.tsk` and not at `tsk`. */
function groupBefore(text: string, offset: number): number | undefined {
  const match = /([a-z]+)\s*\.\s*$/.exec(text.slice(0, offset));
  return match !== null && Object.hasOwn({ ...factSchema, settings: 0 }, match[1] ?? "") ? match.index : undefined;
}
