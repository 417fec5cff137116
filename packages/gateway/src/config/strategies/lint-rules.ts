import type { Deployment } from "../../core/deployment.ts";
import type { ConfigPath, Fault } from "../config-error.ts";

/** What is known of a rule without any request. */
export interface JudgedRule {
  readonly name: string;
  /** The words of its condition; `always`, or `unknown` for one that is wrong. */
  readonly when: string;
  /** Targets that it prefers in any request, as far as that may go to them. */
  readonly sure: ReadonlySet<Deployment>;
  /** Every target that it may prefer. */
  readonly possible: readonly Deployment[];
  /** The words of what it prefers. */
  readonly prefer: string;
  /** Written for any catalogue: not to be judged by this one. */
  readonly generic: boolean;
}

function unreachable(rules: readonly JudgedRule[], i: number): string | undefined {
  const rule = rules[i];
  if (rule === undefined || rule.generic) return undefined;
  const before = rules.slice(0, i);
  // Residency, a route or the client may leave out any target: only who prefers no other one is never reached.
  const { possible } = rule;
  const all = before.find(
    ({ when, sure }) => when === "always" && sure.size > 0 && possible.every((one) => sure.has(one)),
  );
  if (all !== undefined) return `is never reached: the rule ${JSON.stringify(all.name)} before it takes every request`;
  const same = before.find(({ when, prefer }) => when === rule.when && when !== "unknown" && prefer === rule.prefer);
  if (same === undefined) return undefined;
  return `never decides: the rule ${JSON.stringify(same.name)} before it has the same condition and prefers the same`;
}

/** Finds rules of one strategy that share a name, or that no request can reach. */
export function lintRules(rules: readonly JudgedRule[], at: ConfigPath): readonly Fault[] {
  return rules.flatMap((rule, i): Fault[] => {
    const first = rules.findIndex(({ name }) => name === rule.name);
    if (first < i) {
      const what = `${JSON.stringify(rule.name)} is also the name of rule ${first + 1}`;
      return [{ at: [...at, i, "name"], what, expected: "a name of its own, for decisions tell it" }];
    }
    const what = unreachable(rules, i);
    return what === undefined ? [] : [{ at: [...at, i], what, expected: "a rule that some request reaches" }];
  });
}
