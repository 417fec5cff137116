import { type Concept, languageWords, type SpelledLanguage, vocabulary } from "./vocabulary.ts";

/** In the order of the vocabulary: a concept's place is its bit. */
export const concepts = Object.keys(vocabulary) as Concept[];
export const spelledLanguages = Object.keys(languageWords) as SpelledLanguage[];

/** The bit of each concept in `conceptMasks`. */
export const bitOf = Object.fromEntries(concepts.map((concept, index) => [concept, 1 << index])) as Readonly<
  Record<Concept, number>
>;

export const hashStart = 0x811c9dc5 | 0;

/** One step of FNV-1a, on a character code. */
export const hashStep = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193);

/** Of words in a row, from their hashes; never equal to a single word's but by chance. */
export const hashJoin = (before: number, hash: number): number => Math.imul(before ^ (hash >>> 7), 0x85ebca6b) ^ hash;

/** A slot's flags: the word ends a known phrase of two or of three words. */
export const endsPair = 1;
export const endsTriple = 2;

/** Open addressing over typed arrays: a lookup is one or two reads and allocates nothing. A power of two. */
const slots = 4_096;
const keys = new Int32Array(slots);
export const conceptMasks = new Int32Array(slots);
export const languageMasks = new Int32Array(slots);
export const phraseEnds = new Uint8Array(slots);

/** The slot that holds a hash, or the empty one where it would be. */
function place(hash: number): number {
  let slot = (hash ^ (hash >>> 15)) & (slots - 1);
  while (keys[slot] !== 0 && keys[slot] !== hash) slot = (slot + 1) & (slots - 1);
  return slot;
}

/** The slot of a word or phrase, or -1. */
export function slotOf(hash: number): number {
  const slot = place(hash);
  return keys[slot] === 0 ? -1 : slot;
}

function addSlot(hash: number): number {
  const slot = place(hash);
  keys[slot] = hash;
  return slot;
}

function hashWord(word: string): number {
  let hash = hashStart;
  for (let at = 0; at < word.length; at++) hash = hashStep(hash, word.charCodeAt(at));
  return hash;
}

function addEntry(entry: string, bit: number): void {
  // Words are split as the scanner splits them: at everything that is no letter.
  const hashes = entry
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== "")
    .map(hashWord);
  const [first = 0, second = 0, third = 0] = hashes;
  if (hashes.length === 1) {
    const slot = addSlot(first);
    conceptMasks[slot] = (conceptMasks[slot] ?? 0) | bit;
    return;
  }
  const pair = hashes.length === 2;
  const last = addSlot(pair ? second : third);
  phraseEnds[last] = (phraseEnds[last] ?? 0) | (pair ? endsPair : endsTriple);
  const joined = hashJoin(first, second);
  const slot = addSlot(pair ? joined : hashJoin(joined, third));
  conceptMasks[slot] = (conceptMasks[slot] ?? 0) | bit;
}

for (const concept of concepts) {
  const list = vocabulary[concept];
  const entries = list.includes(",") ? list.split(", ") : list.split(" ");
  for (const entry of entries) addEntry(entry, bitOf[concept]);
}
for (const [index, language] of spelledLanguages.entries()) {
  for (const word of languageWords[language].split(" ")) {
    const slot = addSlot(hashWord(word));
    languageMasks[slot] = (languageMasks[slot] ?? 0) | (1 << index);
  }
}
