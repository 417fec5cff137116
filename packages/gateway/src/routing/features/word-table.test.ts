import { expect, test } from "bun:test";
import { languageWords, vocabulary } from "./vocabulary.ts";
import { bitOf, conceptMasks, concepts, hashStart, hashStep, slotOf } from "./word-table.ts";

const entriesOf = (list: string): string[] => (list.includes(",") ? list.split(", ") : list.split(" "));
const hashOf = (word: string): number => [...word].reduce((hash, c) => hashStep(hash, c.charCodeAt(0)), hashStart);

test("no entry has more words than the scanner remembers", () => {
  const long = Object.values(vocabulary)
    .flatMap(entriesOf)
    .filter((entry) => (entry.match(/\p{L}+/gu) ?? []).length > 3);
  expect(long).toEqual([]);
});

test("every entry is in lower case and every list of phrases is separated by commas", () => {
  const lists = [...Object.values(vocabulary), ...Object.values(languageWords)];
  expect(lists.filter((list) => list !== list.toLowerCase() || /\s,|,\S|\s\s/.test(list))).toEqual([]);
});

test("concepts fit the bits of a mask, and single words find theirs", () => {
  expect(concepts.length).toBeLessThan(32);
  const slot = slotOf(hashOf("prove"));
  expect((conceptMasks[slot] ?? 0) & bitOf.reasoning).toBe(bitOf.reasoning);
  expect(slotOf(hashOf("xyzzy"))).toBe(-1);
});
