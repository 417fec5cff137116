/** Classes of characters as a reader of requests needs them. */
export const other = 0;
export const letter = 1;
export const digit = 2;
export const space = 3;
export const sentenceEnd = 4;
export const codeSymbol = 5;
export const mathSymbol = 6;
/** Chinese characters, Japanese syllables, Korean blocks: words are not set apart there, pairs of them are looked up. */
export const block = 7;

const ascii = new Uint8Array(128);
function classify(characters: string, as: number): void {
  for (let at = 0; at < characters.length; at++) ascii[characters.charCodeAt(at)] = as;
}
classify("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", letter);
classify("0123456789", digit);
classify(" \t\r", space);
classify(".!?", sentenceEnd);
classify("{}();[]_|&#@`\\", codeSymbol);
classify("=+*/<>^%-$~", mathSymbol);

const firstBlock = 0x3040;
const lastBlock = 0xd7af;

function classBeyond(code: number): number {
  if (code >= firstBlock && code <= lastBlock) return block;
  return code >= 0xc0 && (code < 0x2000 || code > 0x303f) && code < 0xff00 ? letter : other;
}

/** The class of a UTF-16 code unit. */
export const classOf = (code: number): number => (code < 128 ? ascii[code]! : classBeyond(code));

/** ISO 639-1 codes of languages that a script gives away. */
export const scripts = ["zh", "ja", "ko", "ru", "ar", "he", "hi", "th", "el"] as const;

/** The place in `scripts` of a letter, or -1. */
export function scriptOf(code: number): number {
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
