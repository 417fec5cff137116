import type { ConditionConfig } from "@fairlead/contract/strategy-schema";
import { factAt } from "./fact-schema.ts";

type FieldMap = Exclude<ConditionConfig, string>;
type FieldTest = FieldMap[string];
type Scalar = string | number | boolean;
type Comparison = Exclude<FieldTest, Scalar>;

function literal(value: Scalar): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** A field as the language writes it: header names need not be identifiers. */
function access(field: string): string {
  const [group = "", ...rest] = field.split(".");
  const name = rest.join(".");
  return group === "headers" && name !== "" ? `headers[${JSON.stringify(name)}]` : field;
}

function compare(field: string, comparison: Comparison): string {
  const fact = access(field);
  const isList = factAt(field)?.kind === "list<string>";
  const { gt, gte, lt, lte, in: any, not } = comparison;
  const bounds: readonly (readonly [string, number | undefined])[] = [
    [">", gt],
    [">=", gte],
    ["<", lt],
    ["<=", lte],
  ];
  const parts = bounds.flatMap(([sign, bound]) => (bound === undefined ? [] : [`${fact} ${sign} ${literal(bound)}`]));
  if (any !== undefined) parts.push(any.map((value) => equals(fact, value, isList)).join(" || "));
  if (not !== undefined) parts.push(isList ? `!(${equals(fact, not, true)})` : `${fact} != ${literal(not)}`);
  return parts.map((part) => (parts.length > 1 && part.includes(" || ") ? `(${part})` : part)).join(" && ");
}

function equals(fact: string, value: Scalar, isList: boolean): string {
  return isList ? `${literal(value)} in ${fact}` : `${fact} == ${literal(value)}`;
}

/**
 * Writes one field of a condition in its short form, such as `request.task: translation`, as an expression, so that both
 * forms mean the same. Empty where it asks nothing.
 */
export function fieldText(field: string, test: FieldTest): string {
  if (typeof test === "object") return compare(field, test);
  return equals(access(field), test, factAt(field)?.kind === "list<string>");
}
