import type { ArmChoice } from "../core/decision.ts";
import type { Arm, Experiment } from "../core/gateway-model.ts";
import type { RoutingFacts } from "../core/routing-facts.ts";
import { hashFraction } from "../lib/hash-text.ts";
import type { Ask } from "./ask.ts";
import type { Asked } from "./resolve-name.ts";

export interface ChosenArm {
  readonly arm: Arm;
  readonly choice: ArmChoice;
}

/** The arm of the first experiment that is about this request; undefined when none is. The same subject stays in its arm. */
export function chooseArm(
  experiments: readonly Experiment[],
  ask: Ask,
  asked: Asked,
  facts: RoutingFacts,
  fraction: () => number,
): ChosenArm | undefined {
  // Whoever names a strategy has chosen already, the request itself or its key.
  if (ask.wish.strategy !== undefined) return undefined;
  for (const experiment of experiments) {
    const { models, when } = experiment;
    const isAbout = models.length === 0 ? asked.named === undefined : models.includes(asked.name);
    if (!isAbout || (when !== undefined && !when(facts))) continue;
    return pick(experiment, subjectOf(experiment, ask), fraction);
  }
  return undefined;
}

/** What stays with one arm; undefined where each request is drawn anew. */
function subjectOf({ sticky }: Experiment, { key, features }: Ask): string | undefined {
  if (sticky === "request") return undefined;
  if (sticky === "user" && key.user !== "") return key.user;
  if (sticky !== "conversation" && key.id !== "") return key.id;
  return `${key.id} ${features.conversationHash}`;
}

function pick({ name, arms }: Experiment, subject: string | undefined, fraction: () => number): ChosenArm | undefined {
  const total = arms.reduce((sum, { weight }) => sum + weight, 0);
  let at = (subject === undefined ? fraction() : hashFraction(`${name} ${subject}`)) * total;
  for (const arm of arms) {
    at -= arm.weight;
    if (at < 0) return { arm, choice: { name, arm: arm.name, probability: arm.weight / total } };
  }
  const arm = arms.at(-1);
  return arm && { arm, choice: { name, arm: arm.name, probability: arm.weight / total } };
}
