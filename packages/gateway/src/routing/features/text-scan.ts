import {
  bitOf,
  conceptMasks,
  concepts,
  endsPair,
  endsTriple,
  hashJoin,
  hashStart,
  hashStep,
  languageMasks,
  phraseEnds,
  slotOf,
  spelledLanguages,
} from "./word-table.ts";

/** Instructions stand at the beginning or at the end; what lies between is material. Characters each. */
const instructionCharacters = 700;

/** "Could you please now summarise": a command is among so many first words. */
const commandWords = 5;

/** Character classes of ASCII. */
const other = 0;
const letter = 1;
const digit = 2;
const space = 3;
const newline = 4;
const sentenceEnd = 5;
const codeSymbol = 6;
const mathSymbol = 7;
/** Chinese characters, Japanese syllables and Korean blocks: words are not set apart there, pairs of them are looked up. */
const block = 8;
const firstBlock = 0x3040;
const lastBlock = 0xd7af;

const classes = new Uint8Array(128);
function classify(characters: string, as: number): void {
  for (let at = 0; at < characters.length; at++) classes[characters.charCodeAt(at)] = as;
}
classify("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", letter);
classify("0123456789", digit);
classify(" \t\r", space);
classify("\n", newline);
classify(".!?", sentenceEnd);
classify("{}();[]_|&#@`\\", codeSymbol);
classify("=+*/<>^%-$~", mathSymbol);

/** Concepts that mean something anywhere; the others only where instructions stand. */
const everywhere =
  bitOf.constraint | bitOf.relation | bitOf.math | bitOf.domain | bitOf.negation | bitOf.question | bitOf.codeStart;

function classBeyond(code: number): number {
  if (code >= firstBlock && code <= lastBlock) return block;
  return code >= 0xc0 && (code < 0x2000 || code > 0x303f) && code < 0xff00 ? letter : other;
}

const scripts = ["zh", "ja", "ko", "ru", "ar", "he", "hi", "th", "el"] as const;

/** The place in `scripts` of a letter outside Latin, or -1. */
function scriptOf(code: number): number {
  if (code < 0x370) return -1;
  if (code < 0x400) return 8;
  if (code < 0x530) return 3;
  if (code >= 0x590 && code < 0x600) return 5;
  if (code >= 0x600 && code < 0x780) return 4;
  if (code >= 0x900 && code < 0x980) return 6;
  if (code >= 0xe00 && code < 0xe80) return 7;
  if (code >= 0x3040 && code < 0x3100) return 1;
  if (code >= 0x3400 && code < 0xa000) return 0;
  if (code >= 0xac00 && code < 0xd7b0) return 2;
  return -1;
}

const backtick = 96;

/**
 * What one pass over a text found. Counts are of the text given, which the caller bounds; words inside code count for
 * nothing but code. One instance is used again and again: read it before the next scan.
 */
export class TextScan {
  /** Of prose: characters that stand in no code. */
  proseCharacters = 0;
  codeCharacters = 0;
  codeLines = 0;
  /** Words and names in code. */
  codeWords = 0;
  /** Of strings and numbers in code: the data that it works on. */
  literalCharacters = 0;
  /** Of prose. Scripts without spaces count two characters a word. */
  words = 0;
  /** Runs of digits in prose. */
  numbers = 0;
  mathSymbols = 0;
  sentences = 0;
  questions = 0;
  /** Lines that begin with a capital letter and a full stop or bracket. */
  choices = 0;
  /** How often each concept was met, by its place in `concepts`. */
  readonly counts = new Int32Array(concepts.length);
  /** At which word each concept was met first; -1 for never. */
  readonly firstAt = new Int32Array(concepts.length);
  /** The same, only of words that begin a sentence or nearly so, as commands do; -1 for never. */
  readonly commandAt = new Int32Array(concepts.length);
  readonly #languageCounts = new Int32Array(spelledLanguages.length);
  readonly #scriptCounts = new Int32Array(scripts.length);
  #latinLetters = 0;

  /** Hashes of the two words before. */
  #before = 0;
  #beforeThat = 0;
  /** Masks met on this line: they count once it is known to be prose. */
  readonly #lineMasks = new Int32Array(256);
  /** At which word of the line, and whether near the beginning of a sentence in the lowest bit. */
  readonly #linePlaces = new Int32Array(256);
  #lineHits = 0;
  #lineStarts = false;
  #lineWords = 0;
  #sentenceWords = 0;
  #lineUnspaced = 0;

  #reset(): void {
    this.proseCharacters = this.codeCharacters = this.codeLines = this.codeWords = this.literalCharacters = 0;
    this.words = 0;
    this.numbers = this.mathSymbols = this.sentences = this.questions = this.choices = 0;
    this.counts.fill(0);
    this.firstAt.fill(-1);
    this.commandAt.fill(-1);
    this.#languageCounts.fill(0);
    this.#scriptCounts.fill(0);
    this.#latinLetters = 0;
    this.#before = this.#beforeThat = 0;
    this.#resetLine();
  }

  #resetLine(): void {
    this.#lineHits = this.#lineWords = 0;
    this.#sentenceWords = this.#lineUnspaced = 0;
    this.#lineStarts = false;
  }

  /** Reads a text from end to end, at about two nanoseconds a character. */
  scan(text: string): void {
    this.#reset();
    const length = text.length;
    const tail = length - instructionCharacters;
    let hash = hashStart;
    let wordLength = 0;
    let previous = newline;
    let lineStart = 0;
    let indent = 0;
    let symbols = 0;
    let mathOnLine = 0;
    let numbersOnLine = 0;
    let operators = 0;
    let quote = 0;
    let literals = 0;
    let questions = 0;
    let sentences = 0;
    let choices = 0;
    let lastCode = 0;
    let fenced = false;
    let previousCode = 10;
    for (let at = 0; at <= length; at++) {
      const code = at < length ? text.charCodeAt(at) : 10;
      const kind = code < 128 ? classes[code]! : classBeyond(code);
      if (kind === letter) {
        // ASCII and Latin-1 capitals lie 32 below their small letters; ß, ÷ and × are no capitals.
        const capital = (code >= 65 && code <= 90) || (code >= 0xc0 && code <= 0xde);
        hash = hashStep(hash, capital ? code + 32 : code);
        wordLength++;
        if (code >= 0x370) this.#script(code);
      } else if (wordLength > 0) {
        this.#word(hash, wordLength, at < instructionCharacters || at > tail);
        hash = hashStart;
        wordLength = 0;
      }
      switch (kind) {
        case block:
          this.#script(code);
          this.#lineUnspaced++;
          this.#pair(previous === block ? previousCode : 0, code, at < instructionCharacters || at > tail);
          break;
        case digit:
          if (previous !== digit) numbersOnLine++;
          if (quote === 0) literals++;
          break;
        case space:
          if (at - lineStart === indent) indent++;
          break;
        case sentenceEnd:
          if (previous !== sentenceEnd) {
            if (code === 63) questions++;
            // "3.5" and "a.b" end no sentence; what follows is not known yet, so only what is before is asked.
            if (previous === letter) sentences++;
          }
          if (at - lineStart - indent === 1 && previousCode >= 65 && previousCode <= 90) choices++;
          this.#before = this.#beforeThat = this.#sentenceWords = 0;
          break;
        case codeSymbol:
          symbols++;
          if (code === 41 && at - lineStart - indent <= 2 && previousCode >= 65 && previousCode <= 90) choices++;
          if (code === backtick && previousCode === backtick && text.charCodeAt(at - 2) === backtick) {
            fenced = !fenced;
            symbols = 9;
          }
          break;
        case mathSymbol:
          // "E-mail", "and/or" and the dash of a list are no formulas.
          if ((code !== 45 && code !== 47) || previous === digit || previousCode === 41) mathOnLine++;
          if (previous === mathSymbol && (code === 61 || code === 62)) operators++;
          break;
        case newline: {
          const size = at - lineStart;
          if (size > indent) {
            const ends = lastCode === 59 || lastCode === 123 || lastCode === 125 || lastCode === 91 || lastCode === 93;
            const opens = this.#lineStarts && (symbols >= 2 || operators > 0 || lastCode === 58);
            const shaped = (indent >= 2 && symbols >= 2 && symbols * 10 > size) || operators > 1;
            const dense = symbols >= 4 && symbols * 6 > size;
            if (fenced || symbols === 9 || (ends && symbols >= 2) || opens || shaped || dense) {
              this.codeLines++;
              this.codeCharacters += size + 1;
              this.codeWords += this.#lineWords;
              this.literalCharacters += literals;
            } else {
              this.#takeLine();
              this.proseCharacters += size + 1;
              this.numbers += numbersOnLine;
              this.mathSymbols += mathOnLine;
              this.questions += questions;
              this.sentences += sentences;
              this.choices += choices;
            }
          }
          this.#resetLine();
          lineStart = at + 1;
          indent = symbols = mathOnLine = numbersOnLine = operators = literals = quote = lastCode = 0;
          questions = sentences = choices = 0;
          break;
        }
        default:
          if (code === 34 || code === 39) quote = quote === 0 ? code : quote === code ? 0 : quote;
          else if (code === 0xff1f) questions++;
          else if (code === 0x3002) sentences++;
      }
      if (quote !== 0) literals++;
      if (kind !== space && kind !== newline) lastCode = code;
      previous = kind;
      previousCode = code;
    }
  }

  #script(code: number): void {
    const script = scriptOf(code);
    if (script >= 0) this.#scriptCounts[script]!++;
  }

  /** Two blocks in a row may be a word. */
  #pair(before: number, code: number, instruction: boolean): void {
    if ((this.#lineUnspaced & 1) === 1) this.#sentenceWords++;
    if (before === 0) return;
    const slot = slotOf(hashStep(hashStep(hashStart, before), code));
    if (slot >= 0) this.#meet(conceptMasks[slot]!, instruction);
  }

  #word(hash: number, length: number, instruction: boolean): void {
    this.#lineWords++;
    this.#sentenceWords++;
    const slot = slotOf(hash);
    if (slot >= 0) {
      const mask = conceptMasks[slot]! | this.#phrases(hash, phraseEnds[slot]!);
      if (this.#lineWords === 1 && (mask & bitOf.codeStart) !== 0) this.#lineStarts = true;
      this.#meet(mask, instruction);
      const languages = languageMasks[slot]!;
      if (languages !== 0) this.#countLanguages(languages);
    }
    this.#latinLetters += length;
    this.#beforeThat = this.#before;
    this.#before = hash;
  }

  /** What the phrases mean that end with this word. */
  #phrases(hash: number, ends: number): number {
    if (ends === 0) return 0;
    let mask = 0;
    if ((ends & endsPair) !== 0) {
      const found = slotOf(hashJoin(this.#before, hash));
      if (found >= 0) mask |= conceptMasks[found]!;
    }
    if ((ends & endsTriple) !== 0) {
      const found = slotOf(hashJoin(hashJoin(this.#beforeThat, this.#before), hash));
      if (found >= 0) mask |= conceptMasks[found]!;
    }
    return mask;
  }

  #meet(found: number, instruction: boolean): void {
    const mask = instruction ? found : found & everywhere;
    if (mask === 0 || this.#lineHits >= this.#lineMasks.length) return;
    const place = this.#lineWords + (this.#lineUnspaced >> 1);
    this.#linePlaces[this.#lineHits] = (place << 1) | (this.#sentenceWords <= commandWords ? 1 : 0);
    this.#lineMasks[this.#lineHits++] = mask;
  }

  #countLanguages(mask: number): void {
    for (let rest = mask; rest !== 0; rest &= rest - 1) this.#languageCounts[31 - Math.clz32(rest & -rest)]!++;
  }

  /** The line was prose: its words count. */
  #takeLine(): void {
    for (let hit = 0; hit < this.#lineHits; hit++) {
      const place = this.#linePlaces[hit]!;
      const at = this.words + (place >> 1);
      for (let rest = this.#lineMasks[hit]!; rest !== 0; rest &= rest - 1) {
        const concept = 31 - Math.clz32(rest & -rest);
        this.counts[concept]!++;
        if (this.firstAt[concept]! < 0) this.firstAt[concept] = at;
        if ((place & 1) === 1 && this.commandAt[concept]! < 0) this.commandAt[concept] = at;
      }
    }
    this.words += this.#lineWords + (this.#lineUnspaced >> 1);
  }

  /** ISO 639-1 of the language most of it is in, or `und` where too little tells. */
  language(): string {
    let best = -1;
    let most = 0;
    let letters = 0;
    for (let index = 0; index < scripts.length; index++) {
      const count = this.#scriptCounts[index]!;
      letters += count;
      if (count > most) {
        most = count;
        best = index;
      }
    }
    // Japanese writes Chinese characters too; its own syllables decide.
    if (letters * 3 > this.#latinLetters && best >= 0)
      return best === 0 && this.#scriptCounts[1]! > 0 ? "ja" : scripts[best]!;
    let language = -1;
    let top = 0;
    let second = 0;
    for (let index = 0; index < spelledLanguages.length; index++) {
      const count = this.#languageCounts[index]!;
      if (count > top) {
        second = top;
        top = count;
        language = index;
      } else if (count > second) second = count;
    }
    return language >= 0 && top > second ? spelledLanguages[language]! : "und";
  }
}
