import {
  block,
  classOf,
  codeSymbol,
  digit,
  letter,
  mathSymbol,
  other,
  sentenceEnd,
  space,
} from "./character-classes.ts";
import { LanguageVotes } from "./language-votes.ts";
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
} from "./word-table.ts";

/** Instructions stand at the beginning or at the end; what lies between is material. Characters each. */
const instructionCharacters = 700;

/** "Could you please now summarise": a command is among so many first words. */
const commandWords = 5;

/** A line of code that begins with so many plain words begins with an instruction: "explain this in detail: import { …". */
const leadWords = 6;

/** Concepts met on one line beyond this are left out. */
const mostHits = 256;

/** Concepts that mean something anywhere; the others only where instructions stand. */
const everywhere =
  bitOf.constraint | bitOf.relation | bitOf.math | bitOf.domain | bitOf.negation | bitOf.question | bitOf.codeStart;

/** Character codes that a line of code may end with: `;`, `{`, `}`, `[`, `]`. */
const codeEnds: ReadonlySet<number> = new Set([59, 123, 125, 91, 93]);
const colon = 58;
const backtick = 96;
const isCapital = (code: number): boolean => code >= 65 && code <= 90;

/**
 * What one pass over a text found. Counts are of the text given, which the caller bounds; lines of code count for nothing
 * but code. One instance is used again and again: read it before the next scan.
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
  readonly #languages = new LanguageVotes();

  /** Inside a block that three backticks opened. */
  #fenced = false;
  /** Hashes of the two words before. */
  #before = 0;
  #beforeThat = 0;

  /** Of the line that is read; it counts once it is known to be prose or code. */
  readonly #lineMasks = new Int32Array(mostHits);
  /** At which word of the line, and whether near the beginning of a sentence in the lowest bit. */
  readonly #linePlaces = new Int32Array(mostHits);
  #lineHits = 0;
  #lineWords = 0;
  #lineBlocks = 0;
  #lineSymbols = 0;
  #lineMath = 0;
  #lineNumbers = 0;
  #lineOperators = 0;
  #lineLiterals = 0;
  /** Words before the first symbol of code; -1 while there was none. */
  #lineLead = -1;
  #lineQuestions = 0;
  #lineSentences = 0;
  #lineChoices = 0;
  #startsAsCode = false;
  #fence = false;
  #quote = 0;
  #sentenceWords = 0;
  /** Class and code of the character before, and the last code that was no space. */
  #previous = space;
  #previousCode = 0;
  #lastCode = 0;

  /** Reads a text from end to end, at some nanoseconds a character. */
  scan(text: string): void {
    this.#reset();
    const tail = text.length - instructionCharacters;
    for (let from = 0; from < text.length; ) {
      const newline = text.indexOf("\n", from);
      const to = newline < 0 ? text.length : newline;
      let start = from;
      while (start < to && classOf(text.charCodeAt(start)) === space) start++;
      if (start < to) {
        this.#resetLine();
        this.#readLine(text, start, to, tail);
        this.#endLine(to - from, start - from);
      }
      from = to + 1;
    }
  }

  /** ISO 639-1, or `und`. */
  language(): string {
    return this.#languages.winner();
  }

  #reset(): void {
    this.proseCharacters = this.codeCharacters = this.codeLines = this.codeWords = this.literalCharacters = 0;
    this.words = this.numbers = this.mathSymbols = this.sentences = this.questions = this.choices = 0;
    this.counts.fill(0);
    this.firstAt.fill(-1);
    this.commandAt.fill(-1);
    this.#languages.reset();
    this.#fenced = false;
    this.#before = this.#beforeThat = 0;
  }

  #resetLine(): void {
    this.#lineHits = this.#lineWords = this.#lineBlocks = this.#lineSymbols = this.#lineMath = 0;
    this.#lineNumbers = this.#lineOperators = this.#lineLiterals = 0;
    this.#lineQuestions = this.#lineSentences = this.#lineChoices = 0;
    this.#startsAsCode = this.#fence = false;
    this.#quote = this.#sentenceWords = this.#previousCode = this.#lastCode = 0;
    this.#lineLead = -1;
    this.#previous = space;
  }

  #readLine(text: string, start: number, to: number, tail: number): void {
    let at = start;
    while (at < to) {
      const code = text.charCodeAt(at);
      const kind = classOf(code);
      if (kind !== letter) {
        if (kind === space) {
          if (this.#quote !== 0) this.#lineLiterals++;
        } else {
          if (kind === block) this.#readBlock(code, at < instructionCharacters || at > tail);
          else this.#readSign(text, code, kind, at, start);
          this.#lastCode = code;
        }
        this.#previous = kind;
        this.#previousCode = code;
        at++;
        continue;
      }
      const from = at;
      let hash = hashStart;
      let letterCode = code;
      for (;;) {
        // ASCII and Latin-1 capitals lie 32 below their small letters.
        const capital = letterCode < 91 || (letterCode >= 0xc0 && letterCode <= 0xde);
        hash = hashStep(hash, capital ? letterCode + 32 : letterCode);
        if (letterCode >= 0x370) this.#languages.countLetter(letterCode);
        if (++at >= to) break;
        const next = text.charCodeAt(at);
        if (classOf(next) !== letter) break;
        letterCode = next;
      }
      this.#previousCode = letterCode;
      this.#endWord(hash, at - from, at < instructionCharacters || at > tail);
    }
  }

  /** A digit, a sign or a symbol. */
  #readSign(text: string, code: number, kind: number, at: number, start: number): void {
    if (this.#quote !== 0) this.#lineLiterals++;
    if (kind === digit) {
      if (this.#previous !== digit) this.#lineNumbers++;
      if (this.#quote === 0) this.#lineLiterals++;
    } else if (kind === sentenceEnd) {
      if (this.#previous !== sentenceEnd) {
        if (code === 63) this.#lineQuestions++;
        if (this.#previous === letter) this.#lineSentences++;
      }
      if (at - start === 1 && isCapital(this.#previousCode)) this.#lineChoices++;
      this.#before = this.#beforeThat = this.#sentenceWords = 0;
    } else if (kind === codeSymbol) {
      this.#lineSymbols++;
      if (this.#lineLead < 0) this.#lineLead = this.#lineWords;
      if (code === 41 && at - start <= 2 && isCapital(this.#previousCode)) this.#lineChoices++;
      if (code === backtick && this.#previousCode === backtick && at - start === 2) {
        this.#fence = text.charCodeAt(start) === backtick;
      }
    } else if (kind === mathSymbol) {
      // "E-mail", "and/or" and the dash of a list are no formulas.
      if ((code !== 45 && code !== 47) || this.#previous === digit || this.#previousCode === 41) this.#lineMath++;
      if (this.#previous === mathSymbol && (code === 61 || code === 62)) this.#lineOperators++;
    } else if (kind === other) {
      if (code === 34 || code === 39) this.#quote = this.#quote === 0 ? code : this.#quote === code ? 0 : this.#quote;
      else if (code === 0xff1f) this.#lineQuestions++;
      else if (code === 0x3002) this.#lineSentences++;
    }
  }

  /** Two blocks in a row may be a word. */
  #readBlock(code: number, instruction: boolean): void {
    this.#languages.countLetter(code);
    if ((this.#lineBlocks++ & 1) === 0) this.#sentenceWords++;
    if (this.#previous !== block) return;
    const slot = slotOf(hashStep(hashStep(hashStart, this.#previousCode), code));
    if (slot >= 0) this.#meet(conceptMasks[slot]!, instruction);
  }

  #endWord(hash: number, length: number, instruction: boolean): void {
    this.#lineWords++;
    this.#sentenceWords++;
    if (this.#quote !== 0) this.#lineLiterals += length;
    const slot = slotOf(hash);
    let languages = 0;
    if (slot >= 0) {
      const mask = conceptMasks[slot]! | this.#phrases(hash, phraseEnds[slot]!);
      if (this.#lineWords === 1 && (mask & bitOf.codeStart) !== 0) this.#startsAsCode = true;
      this.#meet(mask, instruction);
      languages = languageMasks[slot]!;
    }
    this.#languages.countWord(length, languages);
    this.#beforeThat = this.#before;
    this.#before = hash;
    this.#previous = letter;
    this.#lastCode = this.#previousCode;
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
    if (mask === 0 || this.#lineHits >= mostHits) return;
    const place = this.#lineWords + (this.#lineBlocks >> 1);
    this.#linePlaces[this.#lineHits] = (place << 1) | (this.#sentenceWords <= commandWords ? 1 : 0);
    this.#lineMasks[this.#lineHits++] = mask;
  }

  #endLine(size: number, indent: number): void {
    const inFence = this.#fenced || this.#fence;
    if (this.#fence) this.#fenced = !this.#fenced;
    if (inFence || this.#looksLikeCode(size, indent)) {
      this.codeLines++;
      this.codeCharacters += size + 1;
      this.codeWords += this.#lineWords;
      this.literalCharacters += this.#lineLiterals;
      if (!inFence && this.#lineLead >= leadWords) {
        this.#takeHits(this.#lineLead);
        this.words += this.#lineLead;
      }
      return;
    }
    this.#takeHits(Number.POSITIVE_INFINITY);
    this.proseCharacters += size + 1;
    this.words += this.#lineWords + (this.#lineBlocks >> 1);
    this.numbers += this.#lineNumbers;
    this.mathSymbols += this.#lineMath;
    this.questions += this.#lineQuestions;
    this.sentences += this.#lineSentences;
    this.choices += this.#lineChoices;
  }

  #looksLikeCode(size: number, indent: number): boolean {
    const symbols = this.#lineSymbols;
    if (this.#lineOperators > 1) return true;
    if (symbols >= 2 && codeEnds.has(this.#lastCode)) return true;
    if (this.#startsAsCode && (symbols >= 2 || this.#lineOperators > 0 || this.#lastCode === colon)) return true;
    if (indent >= 2 && symbols >= 2 && symbols * 10 > size) return true;
    return symbols >= 4 && symbols * 6 > size;
  }

  /** Counts what was met among the line's first words. */
  #takeHits(first: number): void {
    for (let hit = 0; hit < this.#lineHits; hit++) {
      const place = this.#linePlaces[hit]!;
      if (place >> 1 > first) return;
      const at = this.words + (place >> 1);
      for (let rest = this.#lineMasks[hit]!; rest !== 0; rest &= rest - 1) {
        const concept = 31 - Math.clz32(rest & -rest);
        this.counts[concept]!++;
        if (this.firstAt[concept]! < 0) this.firstAt[concept] = at;
        if ((place & 1) === 1 && this.commandAt[concept]! < 0) this.commandAt[concept] = at;
      }
    }
  }
}
