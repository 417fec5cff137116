const quote = 0x22;
const backslash = 0x5c;

/**
 * Whether a JSON text nests objects and lists deeper than `limit`. Linear, about a nanosecond a character. Asked before a
 * body is parsed: the runtime parses any depth, but blocks for seconds when it must write some 50,000 levels again.
 */
export function nestsDeeper(json: string, limit: number): boolean {
  // Each level opens and closes.
  if (json.length < 2 * limit) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const code = json.charCodeAt(at);
    if (code === quote) {
      at = endOfText(json, at + 1);
      if (at < 0) return false;
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > limit) return true;
    } else if (code === 0x7d || code === 0x5d) depth--;
  }
  return false;
}

/** Where the text ends that began before `from`; -1 when it does not, and the JSON is none. */
function endOfText(json: string, from: number): number {
  let at = json.indexOf('"', from);
  while (at >= 0) {
    let slashes = 0;
    for (let before = at - 1; before >= from && json.charCodeAt(before) === backslash; before--) slashes++;
    if (slashes % 2 === 0) return at;
    at = json.indexOf('"', at + 1);
  }
  return -1;
}
