import type { PromptImage } from "./prompt.ts";
import { pick, seededRandom } from "./seeded-random.ts";
import { countTokens, takeTokens } from "./tokenizer.ts";

const FILLER = [
  "The harbour light turns twice before dawn.",
  "A quiet tide carries the smaller boats home.",
  "Every rope is coiled the same way each evening.",
  "The chart shows two channels and one safe passage.",
  "Wind from the west means rain by supper.",
  "The pilot knows each stone by its shadow.",
] as const;
const GOOD = /\b(love|loved|great|good|excellent|amazing|wonderful|happy|best|fantastic|delicious|perfect|enjoyed)\b/gi;
const BAD =
  /\b(hate|hated|bad|terrible|awful|horrible|worst|sad|angry|broken|disappointed|disappointing|poor|rude)\b/gi;
const NEGATED = /\b(?:not|never|isn't|wasn't|hardly)\s+(?:\w+\s+)?(?=love|great|good|excellent|happy|perfect)/gi;

/** A sentiment label, in the spelling that prompts ask for. */
export type Sentiment = "POSITIVE" | "NEGATIVE" | "NEUTRAL";

/** Judges text by a small word list. */
export function sentimentOf(text: string): Sentiment {
  const plain = text.replace(/\b(positive|negative|neutral)\b/gi, " ");
  const negated = plain.match(NEGATED)?.length ?? 0;
  const score = (plain.match(GOOD)?.length ?? 0) - (plain.match(BAD)?.length ?? 0) - 2 * negated;
  return score > 0 ? "POSITIVE" : score < 0 ? "NEGATIVE" : "NEUTRAL";
}

/** Tells whether the prompt wants one of the three sentiment labels: it names them all, or asks outright. */
export function asksSentiment(text: string): boolean {
  if (/\bclassify (the|its|this|their) sentiment\b/i.test(text)) return true;
  return ["positive", "negative", "neutral"].every((label) => text.toLowerCase().includes(label));
}

/** Writes the default answer: what the prompt asks for, or an echo filled up to a seeded length. */
export function writeAnswer(said: string, system: string, images: readonly PromptImage[], seed: string): string {
  const seen = images.length === 0 ? "" : `${describeImages(images)} `;
  if (asksSentiment(`${system} ${said}`)) return sentimentOf(said);
  if (/\b(summar(y|ise|ize)|tl;?dr)\b/i.test(said)) return seen + summarise(said);
  if (/\b(make a plan|plan (for|to|how|my|our|a|the)|step[- ]by[- ]step|itinerary)\b/i.test(said))
    return seen + plan(seed);
  const random = seededRandom(`${seed}:length`);
  return fill(`${seen}You said: ${said.slice(0, 240)}`, 12 + Math.floor(random() * 40), seed, false);
}

/** Names the number and the media types of the images received. */
export function describeImages(images: readonly PromptImage[]): string {
  const kinds = images.map((image) => (image.url === null ? image.mediaType : `${image.mediaType} ${image.url}`));
  return `I received ${images.length} image${images.length === 1 ? "" : "s"}${images.length ? `: ${kinds.join(", ")}` : ""}.`;
}

/** Extends text with seeded sentences to `tokens` tokens; `exact` also cuts longer text. */
export function fill(start: string, tokens: number, seed: string, exact: boolean): string {
  const random = seededRandom(`${seed}:filler`);
  const parts = [start];
  let length = countTokens(start);
  while (length < tokens) {
    const sentence = (parts[0] === "" && parts.length === 1 ? "" : " ") + pick(random, FILLER);
    parts.push(sentence);
    length += sentence.length / 4;
  }
  const text = parts.join("");
  return exact || countTokens(start) < tokens ? takeTokens(text, tokens) : text;
}

function summarise(said: string): string {
  const content = said.includes(":") ? said.slice(said.indexOf(":") + 1) : said;
  return `In short: ${content.trim().split(/\s+/).slice(0, 14).join(" ")}.`;
}

function plan(seed: string): string {
  const random = seededRandom(`${seed}:plan`);
  const steps = [
    "Agree on the goal",
    "Collect what is needed",
    "Do the first part",
    "Check the result",
    "Write it down",
  ];
  return steps.map((step, index) => `${index + 1}. ${step}. ${pick(random, FILLER)}`).join("\n");
}
