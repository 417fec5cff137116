import { scriptOf, scripts } from "./character-classes.ts";
import { spelledLanguages } from "./word-table.ts";

/** The place of Chinese and of Japanese in `scripts`. */
const chinese = 0;
const japanese = 1;

/** Counts what tells a language: letters of other scripts, and common words. */
export class LanguageVotes {
  readonly #words = new Int32Array(spelledLanguages.length);
  readonly #scripts = new Int32Array(scripts.length);
  #letters = 0;

  reset(): void {
    this.#words.fill(0);
    this.#scripts.fill(0);
    this.#letters = 0;
  }

  /** A letter outside Latin. */
  countLetter(code: number): void {
    const script = scriptOf(code);
    if (script >= 0) this.#scripts[script]!++;
  }

  /** A word of so many letters, and the languages that it is common in, as bits. */
  countWord(length: number, languages: number): void {
    this.#letters += length;
    for (let rest = languages; rest !== 0; rest &= rest - 1) this.#words[31 - Math.clz32(rest & -rest)]!++;
  }

  /** ISO 639-1 of the language most of it is in, or `und` where too little tells. */
  winner(): string {
    let total = 0;
    for (let script = 0; script < scripts.length; script++) total += this.#scripts[script] ?? 0;
    if (total > 0 && total * 3 > this.#letters) {
      const most = placeOfMost(this.#scripts);
      // Japanese writes Chinese characters too; its own syllables decide.
      const script = most === chinese && (this.#scripts[japanese] ?? 0) > 0 ? japanese : most;
      return scripts[script] ?? "und";
    }
    const place = placeOfMost(this.#words);
    const top = this.#words[place] ?? 0;
    return top > 0 && this.#words.lastIndexOf(top) === place ? (spelledLanguages[place] ?? "und") : "und";
  }
}

/** The first of the largest. */
function placeOfMost(counts: Int32Array): number {
  let place = 0;
  for (let at = 1; at < counts.length; at++) if ((counts[at] ?? 0) > (counts[place] ?? 0)) place = at;
  return place;
}
