import { hashHex } from "../seeded-random.ts";

const PREFIX = "sim-signature:";

/** Signs a thinking text, so that a changed or foreign block is noticed when it comes back. */
export function signThinking(text: string): string {
  return Buffer.from(`${PREFIX}${hashHex(text, 32)}`).toString("base64");
}

/** Tells whether a signature is ours and fits the text; an omitted text fits any signature of ours. */
export function fitsThinking(text: string, signature: string): boolean {
  if (text !== "" && signature === signThinking(text)) return true;
  return text === "" && Buffer.from(signature, "base64").toString("utf8").startsWith(PREFIX);
}
