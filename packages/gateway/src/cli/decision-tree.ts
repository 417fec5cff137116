import type { DecisionAnswer } from "@fairlead/contract/decision-api";
import { countText, dollarText } from "./table.ts";

interface Branch {
  readonly text: string;
  readonly leaves?: readonly Branch[];
}

/** Draws a decision as a tree for a terminal: what was asked, what was seen in it, where it goes and why. */
export function decisionTree(decision: DecisionAnswer): string {
  const { backend, target, reason } = decision;
  const head = target === null ? "no target" : `${target} (${backend})`;
  const branches = [asked(decision), ...about(decision), order(decision), ...excluded(decision), ...attempts(decision)];
  return [`→ ${head}, because ${reason ?? "-"}`, ...draw(branches, "")].join("\n");
}

function draw(branches: readonly Branch[], indent: string): string[] {
  return branches.flatMap(({ text, leaves = [] }, i) => {
    const isLast = i === branches.length - 1;
    return [`${indent}${isLast ? "└─" : "├─"} ${text}`, ...draw(leaves, `${indent}${isLast ? "   " : "│  "}`)];
  });
}

function asked({
  asked: name,
  strategy,
  rule,
  experiment,
  control,
  confined_to,
  wish,
  near_names,
}: DecisionAnswer): Branch {
  const by = strategy === null ? "" : `, strategy ${strategy}${rule === null ? "" : `, rule “${rule}”`}`;
  const wishes = Object.entries(wish).filter(([, value]) => value !== undefined && value !== null);
  const leaves: Branch[] = [];
  if (near_names.length > 0) leaves.push({ text: `nobody serves that name; near are ${near_names.join(", ")}` });
  for (const [name_, value] of wishes)
    leaves.push({ text: `${name_}: ${typeof value === "string" ? value : JSON.stringify(value)}` });
  if (confined_to !== null) leaves.push({ text: `stays on ${confined_to} upstreams, whatever fails` });
  if (experiment !== null) {
    leaves.push({
      text: `experiment ${experiment.name}: arm ${experiment.arm} (${percent(experiment.probability)} of requests)`,
    });
  }
  if (control !== null)
    leaves.push({ text: `share control: ${control.chose}, threshold ${control.threshold.toFixed(3)}` });
  return { text: `asked for ${name}${by}`, leaves };
}

function about({ features, needs }: DecisionAnswer): Branch[] {
  if (features === undefined) return [];
  const { prompt_tokens, input_tokens, max_tokens, requested_max_tokens, task, language, turns, complexity } = features;
  const output =
    requested_max_tokens === null ? `${countText(max_tokens)} out assumed` : `${countText(max_tokens)} out`;
  const leaves: Branch[] = [
    {
      text: `${task}, language ${language}, ${turns} user turn${turns === 1 ? "" : "s"}, ${features.modalities.join(" + ")}`,
    },
    {
      text: `complexity ${complexity.toFixed(2)} (rules ${features.complexity_rules.toFixed(2)})`,
      leaves: features.signals.map(({ name, weight }) => ({
        text: `${name} ${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}`,
      })),
    },
  ];
  if (needs.length > 0) leaves.push({ text: `needs ${needs.join(", ")}` });
  return [
    { text: `${countText(prompt_tokens)} prompt tokens (about ${countText(input_tokens)} in all), ${output}`, leaves },
  ];
}

function order({ order: targets, candidates, spill_cost_usd }: DecisionAnswer): Branch {
  const leaves = targets.map((target, i): Branch => {
    const known = candidates.find((candidate) => candidate.target === target);
    const figures =
      known === undefined
        ? []
        : [
            known.cost_usd === null ? undefined : dollarText(known.cost_usd),
            known.ttft_ms === null ? undefined : `first token in ${countText(Math.round(known.ttft_ms))} ms`,
            known.quality === null ? undefined : `quality ${known.quality.toFixed(2)}`,
            `${known.in_flight} running`,
          ].filter((text) => text !== undefined);
    return { text: [`${i + 1}. ${target}`, ...figures].join("  ") };
  });
  const spilled = spill_cost_usd === null ? "" : " (spilled: the local target would answer too late)";
  return { text: `order to try${spilled}`, leaves };
}

function excluded({ exclusions }: DecisionAnswer): Branch[] {
  if (exclusions.length === 0) return [];
  return [{ text: "left out", leaves: exclusions.map(({ target, reason }) => ({ text: `${target}: ${reason}` })) }];
}

function attempts({ attempts: tries, outcome, status, hedge, continued }: DecisionAnswer): Branch[] {
  if (tries.length === 0) return [];
  const leaves = tries.map(({ target, duration_ms, first_content_ms, error }, i): Branch => {
    const first =
      first_content_ms === null ? "" : `, first content after ${countText(Math.round(first_content_ms))} ms`;
    const role = i === hedge ? " (hedge)" : continued.includes(i) ? " (went on)" : "";
    return { text: `${target}${role}: ${error ?? "answered"} in ${countText(Math.round(duration_ms))} ms${first}` };
  });
  return [{ text: `attempts (${outcome}, ${status})`, leaves }];
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} %`;
