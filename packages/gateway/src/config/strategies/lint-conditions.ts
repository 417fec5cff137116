import type { ASTNode } from "@marcbachmann/cel-js";
import { nearNames } from "../../lib/near-names.ts";
import { isSecretHeader } from "../../lib/secret-header.ts";
import { type Atom, compareLiterals, type Literal, type Ways, waysOf } from "./condition-logic.ts";
import type { ConditionMistake } from "./explain-condition-error.ts";
import { factAt } from "./fact-schema.ts";

/** What the atoms of one way leave of a fact. */
interface Room {
  least: number;
  greatest: number;
  /** The bounds themselves are outside. */
  openLeast: boolean;
  openGreatest: boolean;
  allowed: ReadonlySet<Literal> | undefined;
  readonly forbidden: Set<Literal>;
  readonly held: Set<Literal>;
  readonly missing: Set<Literal>;
}

function roomOf(fact: string): Room {
  const schema = factAt(fact);
  const [least, greatest] = schema?.range ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const isList = schema?.kind === "list<string>";
  const allowed = schema?.kind === "bool" ? [true, false] : isList ? undefined : schema?.values;
  return {
    least,
    greatest,
    openLeast: false,
    openGreatest: false,
    allowed: allowed === undefined ? undefined : new Set<Literal>(allowed),
    forbidden: new Set(),
    held: new Set(),
    missing: new Set(),
  };
}

function allowOnly(room: Room, values: readonly Literal[]): void {
  const before = room.allowed;
  room.allowed = new Set(before === undefined ? values : values.filter((value) => before.has(value)));
}

function bound(room: Room, value: number, isLeast: boolean, open: boolean): void {
  if (isLeast && (value > room.least || (value === room.least && open))) {
    room.least = value;
    room.openLeast = open;
  }
  if (!isLeast && (value < room.greatest || (value === room.greatest && open))) {
    room.greatest = value;
    room.openGreatest = open;
  }
}

function narrow(room: Room, atom: Exclude<Atom, { kind: "opaque" }>): void {
  if (atom.kind === "holds") (atom.not ? room.missing : room.held).add(atom.value);
  else if (atom.kind === "among") {
    if (atom.not) for (const value of atom.values) room.forbidden.add(value);
    else allowOnly(room, atom.values);
  } else if (atom.sign === "==") allowOnly(room, [atom.value]);
  else if (atom.sign === "!=") room.forbidden.add(atom.value);
  else if (typeof atom.value === "number") bound(room, atom.value, atom.sign.startsWith(">"), !atom.sign.endsWith("="));
}

function inBounds(room: Room, value: Literal): boolean {
  if (typeof value !== "number") return true;
  return (
    compareLiterals(value, room.least, room.openLeast ? ">" : ">=") &&
    compareLiterals(value, room.greatest, room.openGreatest ? "<" : "<=")
  );
}

function isEmpty(room: Room): boolean {
  if ([...room.held].some((value) => room.missing.has(value))) return true;
  if (room.allowed !== undefined) {
    return ![...room.allowed].some((value) => !room.forbidden.has(value) && inBounds(room, value));
  }
  if (room.least > room.greatest) return true;
  return room.least === room.greatest && (room.openLeast || room.openGreatest || room.forbidden.has(room.least));
}

/** The fact on which the atoms of one way contradict each other. */
function contradictedFact(way: readonly Atom[]): string | undefined {
  const rooms = new Map<string, Room>();
  for (const atom of way) {
    if (atom.kind === "opaque") continue;
    const room = rooms.get(atom.fact) ?? roomOf(atom.fact);
    rooms.set(atom.fact, room);
    narrow(room, atom);
  }
  return [...rooms].find(([, room]) => isEmpty(room))?.[0];
}

/** Why an expression is never true: the fact it contradicts itself on, or "" for a constant; undefined when it may be. */
function contradiction(ways: Ways): string | undefined {
  const facts = ways.map(contradictedFact);
  return facts.every((fact) => fact !== undefined) ? (facts[0] ?? "") : undefined;
}

/** Tells whether an expression holds for every request. Headers need not be there, so nothing about them is sure. */
export function isAlways(ast: ASTNode): boolean {
  const ways = waysOf(ast, true);
  const aboutHeaders = ways.flat().some((atom) => atom.kind !== "opaque" && atom.fact.startsWith("headers."));
  return !aboutHeaders && contradiction(ways) !== undefined;
}

function wrongValue(fact: string, value: Literal, offset: number): ConditionMistake | undefined {
  const schema = factAt(fact);
  if (schema === undefined || typeof value !== "string") return undefined;
  const shown = JSON.stringify(value);
  if (schema.values !== undefined && !schema.values.includes(value)) {
    const suggestion = nearNames(value, schema.values)[0];
    return {
      what: `\`${fact}\` is never ${shown}`,
      expected: `one of ${schema.values.join(", ")}`,
      suggestion,
      offset,
    };
  }
  if (schema.shape !== undefined && !schema.shape.pattern.test(value)) {
    return { what: `\`${fact}\` is never ${shown}`, expected: schema.shape.words, offset };
  }
  return undefined;
}

function wrongValues(atom: Atom): readonly ConditionMistake[] {
  if (atom.kind === "opaque") return [];
  const values = atom.kind === "among" ? atom.values : [atom.value];
  const name = atom.fact.startsWith("headers.") ? atom.fact.slice("headers.".length) : "";
  if (name !== name.toLowerCase()) {
    const what = `the header \`${name}\` is never there`;
    return [{ what, expected: "names of headers in lower case", suggestion: name.toLowerCase(), offset: atom.at }];
  }
  if (isSecretHeader(name)) {
    const what = `the header \`${name}\` is kept from conditions, for its name is that of a secret`;
    return [{ what, expected: "a header of another name", offset: atom.at }];
  }
  return values.flatMap((value) => wrongValue(atom.fact, value, atom.at) ?? []);
}

/** Finds what makes a condition pointless: values that a fact never has, and contradictions, so that it is never true. */
export function lintCondition(ast: ASTNode): readonly ConditionMistake[] {
  const ways = waysOf(ast);
  const values = ways.flat().flatMap(wrongValues);
  if (values.length > 0) return values;
  const fact = contradiction(ways);
  if (fact === undefined) return [];
  const why = fact === "" ? "is always false" : `can never hold, for it contradicts itself on \`${fact}\``;
  return [{ what: why, expected: "a condition that some request meets", offset: 0 }];
}
