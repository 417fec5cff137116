import type { SignalName, TaskKind } from "@fairlead/contract/routing-names";
import { countOf } from "./task-kind.ts";
import type { TextScan } from "./text-scan.ts";

/** What the rows of the table below may go by. */
export interface ScoredRequest {
  readonly scan: TextScan;
  readonly task: TaskKind;
  readonly promptTokens: number;
  readonly turns: number;
  readonly hasTools: boolean;
  readonly hasMedia: boolean;
}

/** A row adds `weight` × `value`; rows of one signal add up. */
export interface WeightedRow {
  readonly signal: SignalName;
  readonly weight: number;
  readonly value: (request: ScoredRequest) => number;
}

/** What an empty request has. */
export const baseComplexity = 0.06;

/** Doublings, up to a cap: the tenth number in a prompt says less than the second. */
const doublings = (count: number, cap: number): number => Math.log2(1 + Math.min(count, cap));

/** Words of a request, code included, in doublings from eight to 512. */
const sizeOf = ({ scan }: ScoredRequest): number =>
  Math.log2(Math.min(512, Math.max(8, scan.words + scan.codeWords)) / 8);

const isPlain = ({ scan }: ScoredRequest): boolean =>
  countOf(scan, "reasoning") +
    countOf(scan, "multiStep") +
    countOf(scan, "detail") +
    countOf(scan, "analysisPhrase") ===
  0;

const routine: ReadonlySet<TaskKind> = new Set<TaskKind>(["classification", "translation", "extraction"]);

/**
 * The default score, untrained: edit freely, one row at a time. 0.7 in sum is what `auto` calls premium. The rows above the
 * line were fitted to public data (bench/quality says to which), rounded and checked; those below it are judgement.
 */
export const complexityWeights: readonly WeightedRow[] = [
  // Longer asks are harder in every set there is; more than half of what the score knows.
  { signal: "length", weight: 0.05, value: sizeOf },
  // Quantities set against each other: "twice as many as", "per", "remaining".
  { signal: "constraints", weight: 0.03, value: ({ scan }) => doublings(countOf(scan, "relation"), 8) },
  // Conditions and limits: "must", "exactly", "unless".
  { signal: "constraints", weight: 0.012, value: ({ scan }) => doublings(countOf(scan, "constraint"), 12) },
  // Numbers in prose.
  { signal: "digits", weight: 0.006, value: ({ scan }) => doublings(scan.numbers, 16) },
  // Strings and numbers in code: data that has to be followed through.
  { signal: "digits", weight: 0.02, value: ({ scan }) => doublings(scan.literalCharacters, 63) },
  // Formulas.
  { signal: "math", weight: 0.004, value: ({ scan }) => doublings(scan.mathSymbols, 16) },
  // ---
  // Terms of mathematics.
  { signal: "math", weight: 0.015, value: ({ scan }) => doublings(countOf(scan, "math"), 6) },
  // "Which of these is NOT".
  { signal: "constraints", weight: 0.01, value: ({ scan }) => doublings(countOf(scan, "negation"), 4) },
  // "Step by step", "work out".
  { signal: "multi_step_reasoning", weight: 0.2, value: ({ scan }) => Math.min(1, countOf(scan, "multiStep")) },
  // "Comprehensive analysis", "pros and cons".
  { signal: "analysis_phrase", weight: 0.16, value: ({ scan }) => Math.min(1, countOf(scan, "analysisPhrase")) },
  // "In detail", "thorough".
  { signal: "detailed_explanation", weight: 0.22, value: ({ scan }) => Math.min(1, countOf(scan, "detail")) },
  // "Compare", "justify", "evaluate".
  { signal: "reasoning_verbs", weight: 0.06, value: ({ scan }) => doublings(countOf(scan, "reasoning"), 4) },
  // Work on code is worth a good model, more so the more code there is.
  { signal: "code_analysis", weight: 0.04, value: ({ task }) => (task === "code_analysis" ? 1 : 0) },
  {
    signal: "code_analysis",
    weight: 0.012,
    value: ({ task, scan }) => (task === "code_analysis" ? doublings(scan.codeLines, 63) : 0),
  },
  { signal: "code_generation", weight: 0.1, value: ({ task }) => (task === "code_generation" ? 1 : 0) },
  // Tables, sections, examples: each is something to get right.
  { signal: "output_demands", weight: 0.02, value: ({ scan }) => doublings(countOf(scan, "output"), 4) },
  { signal: "domain_knowledge", weight: 0.02, value: ({ scan }) => doublings(countOf(scan, "domain"), 6) },
  { signal: "several_questions", weight: 0.03, value: ({ scan }) => doublings(Math.max(0, scan.questions - 1), 4) },
  // Multiple choice.
  { signal: "choices", weight: 0.02, value: ({ scan }) => (scan.choices >= 2 ? 1 : 0) },
  // Long sentences, from 20 words on.
  {
    signal: "reading_level",
    weight: 0.001,
    value: ({ scan }) => Math.max(0, Math.min(50, scan.words / Math.max(1, scan.sentences)) - 20),
  },
  // Agents talk for hours, so depth, tools, size and media say little: less than one step together.
  { signal: "turn_depth", weight: 0.005, value: ({ turns }) => Math.log2(Math.min(16, Math.max(1, turns))) },
  { signal: "tool_calling", weight: 0.01, value: ({ hasTools }) => (hasTools ? 1 : 0) },
  { signal: "long_context", weight: 0.02, value: ({ promptTokens }) => (promptTokens > longPromptTokens ? 1 : 0) },
  { signal: "multimodal", weight: 0.05, value: ({ hasMedia }) => (hasMedia ? 1 : 0) },
  // A short question, and work that small models do well.
  { signal: "simple_question", weight: -0.05, value: (request) => (isSimple(request) ? 1 : 0) },
  {
    signal: "simple_question",
    weight: -0.1,
    value: (request) => (isPlain(request) && routine.has(request.task) ? 1 : 0),
  },
  {
    signal: "factual_lookup",
    weight: -0.02,
    value: (request) => (countOf(request.scan, "lookup") > 0 && isSimple(request) ? 1 : 0),
  },
  {
    signal: "basic_summary",
    weight: -0.15,
    value: (request) => (request.task === "summarising" && isPlain(request) ? 1 : 0),
  },
];

/** Prompt tokens from which a request counts as long, here and in the literal rules. */
export const longPromptTokens = 10_000;

/** One question of a few words without anything hard in it. */
export function isSimple(request: ScoredRequest): boolean {
  const { scan, task } = request;
  const asks = task === "question" && countOf(scan, "explain") === 0;
  return asks && scan.questions <= 1 && scan.words <= 20 && scan.codeLines === 0 && isPlain(request);
}
