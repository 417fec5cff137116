import { storedText } from "./stored-text.ts";

const maxTags = 50;
const maxTagLength = 200;

/** Each tag once, in order, so that equal sets are equal text. */
export function storedTags(tags: readonly string[]): readonly string[] {
  if (tags.length === 0) return tags;
  const texts = tags.slice(0, maxTags).map((tag) => storedText(tag, maxTagLength));
  const ascending = texts.every((tag, i) => i === 0 || (texts[i - 1] ?? "") < tag);
  return ascending ? texts : [...new Set(texts)].sort();
}
