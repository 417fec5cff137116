/** Draws from a cryptographic source. */
export type RandomBytes = (size: number) => Uint8Array;

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const randomSize = 32;
/** Digits that 256 bits need in base 62. */
const digits = 43;
const shownDigits = 6;

function base62(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (; text.length < digits; value /= 62n) text = alphabet[Number(value % 62n)] + text;
  return text;
}

/** `fl-` for clients, `fla-` for the admin API. */
export type KeyKind = "fl" | "fla";

/** Makes a new key from 256 random bits. It exists only in the answer that first shows it. */
export function newKeyText(kind: KeyKind, randomBytes: RandomBytes): string {
  return `${kind}-${base62(randomBytes(randomSize))}`;
}

/** What people recognise a key by; tells 36 of its 256 bits at most, of a key that somebody else chose a sixth. */
export function keyPrefix(key: string): string {
  const dash = key.indexOf("-");
  const start = dash > 0 && dash <= 4 ? dash + 1 : 0;
  return `${key.slice(0, start + Math.min(shownDigits, Math.floor(key.length / 6)))}…`;
}
