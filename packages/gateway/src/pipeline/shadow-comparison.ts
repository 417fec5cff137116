import { isDeepStrictEqual } from "node:util";
import type { ComparedAnswer } from "./shadow-answer.ts";

/** How a copy's answer compares with the client's. Undefined is "does not apply" or "cannot be told". */
export interface Comparison {
  readonly sameFinish: boolean;
  /** 0 to 1: how many sequences of three characters the two texts share (Dice), over their beginnings. */
  readonly similarity: number | undefined;
  /** Equal but for case, white space and a last full stop; of short answers only. */
  readonly sameText: boolean | undefined;
  /** The same tools with equal arguments; where either called any. */
  readonly sameCalls: boolean | undefined;
  /** Both are JSON; where JSON was wanted. */
  readonly bothJson: boolean | undefined;
  /** Characters of the copy's text for each one of the client's. */
  readonly lengthRatio: number | undefined;
}

/** An answer up to here is a label or a sentence, which is the same or not. */
const shortCharacters = 200;
/** Of each text, for the similarity: about a millisecond's work. */
const similarityCharacters = 8_192;

/** Compares two answers with measures that can be explained in a sentence each. Keeps nothing. */
export function compareAnswers(client: ComparedAnswer, copy: ComparedAnswer, wantsJson: boolean): Comparison {
  const hasCalls = client.calls.length > 0 || copy.calls.length > 0;
  const hasText = client.characters > 0 || copy.characters > 0;
  const isShort = hasText && client.characters <= shortCharacters && copy.characters <= shortCharacters;
  return {
    sameFinish: client.finish === copy.finish,
    similarity: hasText ? similarity(client.text, copy.text) : undefined,
    sameText: isShort ? plain(client.text) === plain(copy.text) : undefined,
    sameCalls: hasCalls && !client.callsCut && !copy.callsCut ? sameCalls(client.calls, copy.calls) : undefined,
    bothJson: wantsJson && !hasCalls && isWhole(client) && isWhole(copy) ? isJson(client) && isJson(copy) : undefined,
    lengthRatio: client.characters > 0 ? copy.characters / client.characters : undefined,
  };
}

const isWhole = ({ text, characters }: ComparedAnswer): boolean => text.length === characters;

function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
}

function trigrams(text: string): ReadonlySet<string> {
  const padded = ` ${plain(text.slice(0, similarityCharacters))} `;
  const found = new Set<string>();
  for (let i = 0; i + 3 <= padded.length; i++) found.add(padded.slice(i, i + 3));
  return found;
}

function similarity(one: string, other: string): number {
  const a = trigrams(one);
  const b = trigrams(other);
  if (a.size + b.size === 0) return plain(one) === plain(other) ? 1 : 0;
  let shared = 0;
  for (const gram of a) if (b.has(gram)) shared++;
  return (2 * shared) / (a.size + b.size);
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

const isJson = ({ text }: ComparedAnswer): boolean => parsed(text) !== undefined;

/** Calls of one turn have no order. */
function sameCalls(client: ComparedAnswer["calls"], copy: ComparedAnswer["calls"]): boolean {
  if (client.length !== copy.length) return false;
  const left = [...copy];
  for (const call of client) {
    const found = left.findIndex((other) => other.name === call.name && sameArguments(call.arguments, other.arguments));
    if (found < 0) return false;
    left.splice(found, 1);
  }
  return true;
}

function sameArguments(one: string, other: string): boolean {
  if (one === other) return true;
  const a = parsed(one === "" ? "{}" : one);
  const b = parsed(other === "" ? "{}" : other);
  return a !== undefined && b !== undefined && isDeepStrictEqual(a.value, b.value);
}
