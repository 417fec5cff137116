import { asksSentiment, describeImages, fill, sentimentOf, writeAnswer } from "./answer-text.ts";
import { chooseTools, type ToolCall } from "./choose-tools.ts";
import { type Directives, parseDirectives, stripDirectives } from "./directives.ts";
import type { Prompt } from "./prompt.ts";
import { type SampleHints, sampleSchema } from "./sample-schema.ts";
import { seededRandom } from "./seeded-random.ts";
import { countTokens, takeTokens } from "./tokenizer.ts";

/** Why the answer ends. */
export type AnswerFinish = "stop" | "stop-sequence" | "length" | "tools" | "refusal";

/** A whole answer, free of any wire format; token counts are exact by the documented rule. */
export interface Answer {
  readonly reasoning: string;
  readonly text: string;
  readonly refusal: string;
  readonly toolCalls: readonly ToolCall[];
  readonly finish: AnswerFinish;
  readonly stopSequence: string | null;
  readonly reasoningTokens: number;
  readonly outputTokens: number;
  readonly directives: Directives;
  /** The text goes out in one piece, whatever its size. */
  readonly hugeText?: true;
}

const REFUSAL = "I cannot help with that request.";
const MAX_ECHO = 2_000;

/** Answers a prompt; the same prompt always gets the same answer. */
export function composeAnswer(prompt: Prompt): Answer {
  const directives = parseDirectives(prompt.userText);
  const said = stripDirectives(prompt.userText);
  const reasoning = reasoningFor(prompt, said, directives);
  if (directives.refusal) {
    return cut({ reasoning, text: "", refusal: REFUSAL, toolCalls: [], finish: "refusal" }, prompt, directives);
  }
  const toolCalls = chooseTools(prompt, said, directives);
  const whole = toolCalls.length > 0 ? (directives.text ?? "") : textFor(prompt, said, directives);
  const text = whole.startsWith(prompt.begun) ? whole.slice(prompt.begun.length) : whole;
  return cut(
    { reasoning, text, refusal: "", toolCalls, finish: toolCalls.length > 0 ? "tools" : "stop" },
    prompt,
    directives,
  );
}

function reasoningFor(prompt: Prompt, said: string, directives: Directives): string {
  if (!prompt.reasoning) return "";
  return fill(`Thinking about: ${said.slice(0, 80)}`, directives.reasoningTokens ?? 12, `${prompt.seed}:r`, true);
}

function textFor(prompt: Prompt, said: string, directives: Directives): string {
  if (directives.text !== null) return directives.text;
  if (prompt.outputSchema !== null) {
    const random = seededRandom(`${prompt.seed}:schema`);
    return JSON.stringify(sampleSchema(prompt.outputSchema, random, schemaHints(prompt, said)));
  }
  if (prompt.jsonObject) return JSON.stringify({ answer: said.slice(0, 240) });
  if (directives.tokens !== null) return fill("", directives.tokens, prompt.seed, true);
  if (directives.image) return describeImages(prompt.images);
  if (prompt.toolResults.length > 0) return `The tool answered: ${prompt.toolResults.join(" | ")}`.slice(0, MAX_ECHO);
  return writeAnswer(said, prompt.system, prompt.images, prompt.seed);
}

function schemaHints(prompt: Prompt, said: string): SampleHints {
  return {
    enums: asksSentiment(`${prompt.system} ${said} ${JSON.stringify(prompt.outputSchema)}`) ? [sentimentOf(said)] : [],
    stringFor: () => null,
  };
}

type Draft = Pick<Answer, "reasoning" | "text" | "refusal" | "toolCalls" | "finish">;

/** Applies stop sequences, then the token limit in the order of the output. */
function cut(draft: Draft, prompt: Prompt, directives: Directives): Answer {
  let { text, finish, toolCalls } = draft;
  let stopSequence: string | null = null;
  for (const stop of prompt.stop) {
    const at = stop === "" ? -1 : text.indexOf(stop);
    if (at < 0) continue;
    text = text.slice(0, at);
    stopSequence = stop;
    finish = "stop-sequence";
    toolCalls = [];
  }
  let left = prompt.maxTokens;
  const spend = (whole: string): string => {
    const kept = takeTokens(whole, left);
    if (kept.length < whole.length) finish = "length";
    left -= countTokens(kept);
    return kept;
  };
  const reasoning = spend(draft.reasoning);
  const reasoningTokens = prompt.maxTokens - left;
  text = spend(text);
  const refusal = spend(draft.refusal);
  const kept: ToolCall[] = [];
  for (const call of toolCalls) {
    if (left < countTokens(call.name) + 1) {
      finish = "length";
      break;
    }
    left -= countTokens(call.name);
    kept.push({ name: call.name, args: spend(call.args) });
    if (finish === "length") break;
  }
  if (finish === "length") stopSequence = null;
  const outputTokens = prompt.maxTokens - left;
  return { reasoning, text, refusal, toolCalls: kept, finish, stopSequence, reasoningTokens, outputTokens, directives };
}
