const maxTags = 16;
const maxLength = 64;

/**
 * Tags of a request: the key's own, then those of the header `X-Router-Tags`, without repeats. Others than plain names are
 * left out, and so are those that `isReserved`: a budget is about them, and nobody may spend what is another's.
 */
export function readTags(
  own: readonly string[],
  header: string | null,
  isReserved: (tag: string) => boolean,
): readonly string[] {
  if (header === null) return own;
  const tags = new Set(own);
  for (const part of header.split(",", maxTags)) {
    const tag = part.trim();
    if (tag === "" || tag.length > maxLength || !/^[\w.:/@-]+$/.test(tag) || isReserved(tag)) continue;
    tags.add(tag);
  }
  return [...tags];
}
