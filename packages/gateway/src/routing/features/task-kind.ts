import type { TaskKind } from "@fairlead/contract/routing-names";
import type { TextScan } from "./text-scan.ts";
import type { Concept } from "./vocabulary.ts";
import { concepts } from "./word-table.ts";

const place = Object.fromEntries(concepts.map((concept, index) => [concept, index])) as Readonly<
  Record<Concept, number>
>;

/** How often a concept was met. */
export const countOf = (scan: TextScan, concept: Concept): number => scan.counts[place[concept]] ?? 0;

const never = 1_000_000;

/** Where a concept was met first; commands come before all that is only mentioned. */
function whereOf(scan: TextScan, concept: Concept): number {
  const command = scan.commandAt[place[concept]] ?? -1;
  if (command >= 0) return command;
  const first = scan.firstAt[place[concept]] ?? -1;
  return first >= 0 ? never / 2 + first : never;
}

function mentionOf(scan: TextScan, concept: Concept): number {
  const first = scan.firstAt[place[concept]] ?? -1;
  return first >= 0 ? first : never;
}

const verbs = ["summarise", "translate", "classify", "extract", "plan", "create", "analyse"] as const;

/** What is asked for, by the command that comes first and what it is about. */
export function taskKind(scan: TextScan): TaskKind {
  let verb: (typeof verbs)[number] | undefined;
  let earliest = never;
  for (const candidate of verbs) {
    const at = whereOf(scan, candidate);
    if (at < earliest) {
      earliest = at;
      verb = candidate;
    }
  }
  const code = countOf(scan, "codeNoun") > 0 || scan.codeLines > 1;
  switch (earliest < never / 2 ? verb : undefined) {
    case "summarise":
      return "summarising";
    case "translate":
      return code && countOf(scan, "codeNoun") > 0 ? "code_generation" : "translation";
    case "classify":
      return "classification";
    case "extract":
      return "extraction";
    case "plan":
      return "planning";
    case "create":
      return made(scan, code);
    case "analyse":
      if (code) return "code_analysis";
      return isMath(scan) ? "math" : asked(scan);
    default:
      if (isMath(scan)) return "math";
      if (scan.codeLines > 2 && scan.codeCharacters > scan.proseCharacters) return "code_analysis";
      return mentioned(scan, verb, code);
  }
}

/** Something is to be made: by the first thing that is named after the command. */
function made(scan: TextScan, code: boolean): TaskKind {
  const prose = mentionOf(scan, "prose");
  const noun = mentionOf(scan, "codeNoun");
  if (code && noun <= prose) return "code_generation";
  if (prose < never) return "writing";
  if (countOf(scan, "plan") > 0) return "planning";
  if (countOf(scan, "summarise") > 0) return "summarising";
  if (isMath(scan)) return "math";
  return "writing";
}

/** Nobody commands anything; what is mentioned may still tell: "I need a summary of this". */
function mentioned(scan: TextScan, verb: (typeof verbs)[number] | undefined, code: boolean): TaskKind {
  if (scan.questions > 0) return code && verb === "analyse" ? "code_analysis" : "question";
  switch (verb) {
    case "summarise":
      return "summarising";
    case "translate":
      return "translation";
    case "plan":
      return "planning";
    case "create":
      return code ? "code_generation" : asked(scan);
    case "analyse":
      return code ? "code_analysis" : asked(scan);
    default:
      return asked(scan);
  }
}

function asked(scan: TextScan): TaskKind {
  const opensWithQuestion = (scan.commandAt[place.question] ?? -1) === 1;
  return scan.questions > 0 || opensWithQuestion || countOf(scan, "explain") > 0 ? "question" : "chat";
}

function isMath(scan: TextScan): boolean {
  if (scan.codeLines > 1) return false;
  const words = countOf(scan, "math");
  if (words > 0 && scan.numbers + scan.mathSymbols >= 2) return true;
  if (scan.mathSymbols >= 2 && scan.numbers >= 2 && scan.words < 12) return true;
  return scan.numbers >= 2 && scan.questions > 0 && countOf(scan, "relation") + countOf(scan, "constraint") >= 2;
}
