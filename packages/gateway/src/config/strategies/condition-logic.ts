import type { ASTNode } from "@marcbachmann/cel-js";

export type Literal = string | number | boolean;

/** The least that a condition asks: one fact against values. `opaque` for what this analysis does not look into. */
export type Atom =
  | {
      readonly kind: "compare";
      readonly fact: string;
      readonly sign: Sign;
      readonly value: Literal;
      readonly at: number;
    }
  | {
      readonly kind: "among";
      readonly fact: string;
      readonly values: readonly Literal[];
      readonly not: boolean;
      readonly at: number;
    }
  | {
      readonly kind: "holds";
      readonly fact: string;
      readonly value: Literal;
      readonly not: boolean;
      readonly at: number;
    }
  | { readonly kind: "opaque" };

export type Sign = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** Ways to be true, each a list of atoms that must all hold. Empty: it is never true. */
export type Ways = readonly (readonly Atom[])[];

/** Beyond this many ways an expression is taken as it is. */
const mostWays = 64;

const flipped: Readonly<Record<Sign, Sign>> = { "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=" };
const negated: Readonly<Record<Sign, Sign>> = { "==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<" };

const opaque: Ways = [[{ kind: "opaque" }]];

function literalOf(node: ASTNode): Literal | undefined {
  if (node.op === "-_") {
    const inner = literalOf(node.args);
    return typeof inner === "number" ? -inner : undefined;
  }
  if (node.op !== "value") return undefined;
  const value = node.args;
  if (typeof value === "bigint") return Number(value);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

/** The path of a fact: `request.task`, `headers.x-team`; settings are none, for they are there to be changed. */
export function factOf(node: ASTNode): string | undefined {
  if (node.op !== "." && node.op !== "[]") return undefined;
  const [group, field] = node.args;
  if (group.op !== "id" || group.args === "settings") return undefined;
  const name = typeof field === "string" ? field : literalOf(field);
  return typeof name === "string" ? `${group.args}.${name}` : undefined;
}

function comparison(left: ASTNode, right: ASTNode, sign: Sign): Atom | undefined {
  const fact = factOf(left);
  const value = literalOf(right);
  if (fact !== undefined && value !== undefined) return { kind: "compare", fact, sign, value, at: right.start };
  const other = factOf(right);
  const first = literalOf(left);
  if (other === undefined || first === undefined) return undefined;
  return { kind: "compare", fact: other, sign: flipped[sign], value: first, at: left.start };
}

function membership(left: ASTNode, right: ASTNode, not: boolean): Atom | undefined {
  const value = literalOf(left);
  const list = factOf(right);
  if (value !== undefined && list !== undefined) return { kind: "holds", fact: list, value, not, at: left.start };
  const fact = factOf(left);
  if (fact === undefined || right.op !== "list") return undefined;
  const values = right.args.flatMap((entry) => literalOf(entry) ?? []);
  if (values.length < right.args.length) return undefined;
  return { kind: "among", fact, values, not, at: right.start };
}

function both(a: Ways, b: Ways): Ways {
  if (a.length * b.length > mostWays) return opaque;
  return a.flatMap((left) => b.map((right) => [...left, ...right]));
}

function either(a: Ways, b: Ways): Ways {
  return a.length + b.length > mostWays ? opaque : [...a, ...b];
}

function leaf(node: ASTNode, not: boolean): Ways {
  const constant = literalOf(node);
  if (typeof constant === "boolean") return constant === not ? [] : [[]];
  const fact = factOf(node);
  if (fact !== undefined) return [[{ kind: "compare", fact, sign: "==", value: !not, at: node.start }]];
  switch (node.op) {
    case "==":
    case "!=":
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const [left, right] = node.args;
      const constants = [literalOf(left), literalOf(right)] as const;
      if (constants[0] !== undefined && constants[1] !== undefined) {
        return compareLiterals(constants[0], constants[1], node.op) === not ? [] : [[]];
      }
      const atom = comparison(left, right, not ? negated[node.op] : node.op);
      return atom === undefined ? opaque : [[atom]];
    }
    case "in": {
      const atom = membership(node.args[0], node.args[1], not);
      return atom === undefined ? opaque : [[atom]];
    }
    default:
      return opaque;
  }
}

/** Compares two values as conditions do. */
export function compareLiterals(a: Literal, b: Literal, sign: Sign): boolean {
  switch (sign) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
  }
}

/** Takes an expression apart into all ways in which it is true, or false with `not`. */
export function waysOf(node: ASTNode, not = false): Ways {
  if (node.op === "!_") return waysOf(node.args, !not);
  if (node.op !== "&&" && node.op !== "||") return leaf(node, not);
  const left = waysOf(node.args[0], not);
  const right = waysOf(node.args[1], not);
  return (node.op === "&&") === not ? either(left, right) : both(left, right);
}
