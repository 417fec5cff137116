import { type Fault, parseFault } from "./fault.ts";

/** A fault for the requests that match; `times` absent means every one, `skip` lets that many pass first. */
export interface FaultRule {
  readonly spec: string;
  readonly times?: number;
  readonly skip?: number;
  readonly model?: string;
  readonly path?: string;
}

const MARK = "sim-fault:";

/** The active rules, each with what is left of its count. */
export class FaultRules {
  #rules: { rule: FaultRule; fault: Fault; skip: number; left: number }[] = [];

  constructor(rules: readonly FaultRule[]) {
    this.replace(rules);
  }

  /**
   * Replaces all rules and their counts.
   * @throws FaultSpecError
   */
  replace(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({
      rule,
      fault: parseFault(rule.spec),
      skip: rule.skip ?? 0,
      left: rule.times ?? Number.POSITIVE_INFINITY,
    }));
  }

  /**
   * Picks the fault of one request, by header, then model name, then rules, and uses up one count.
   * @throws FaultSpecError
   */
  take(path: string, model: string, header: string | undefined, generates: boolean): Fault | null {
    if (header !== undefined && header !== "") return parseFault(header);
    const mark = model.indexOf(MARK);
    if (mark >= 0) return parseFault(model.slice(mark + MARK.length));
    for (const entry of this.#rules) {
      if (entry.rule.path === undefined && !generates) continue;
      if (entry.left <= 0 || !matches(entry.rule.path, path) || !matches(entry.rule.model, model)) continue;
      if (entry.skip-- > 0) continue;
      entry.left--;
      return entry.fault;
    }
    return null;
  }
}

/** Strips the fault part of a model name: `m+sim-fault:gzip` → `m`, `sim-fault:gzip` → the first configured model. */
export function baseModel(model: string, first: string): string {
  const mark = model.indexOf(MARK);
  if (mark < 0) return model;
  return model.slice(0, mark).replace(/[+#@:/-]$/, "") || first;
}

function matches(wanted: string | undefined, actual: string): boolean {
  return wanted === undefined || wanted === actual || (wanted.endsWith("*") && actual.startsWith(wanted.slice(0, -1)));
}
