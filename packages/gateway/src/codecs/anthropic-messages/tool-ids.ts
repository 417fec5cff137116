import { legalToolWord } from "../tool-names.ts";

const longest = 64;

/**
 * Gives every call of a conversation an id of its own, walking from the start: legal ids stay, an id that occurs again
 * gets `-2`, `-3` and so on. The same history always gets the same ids.
 * @see docs/spec/wire-formats.md 0.3
 */
export class ToolIds {
  readonly #used = new Set<string>();
  readonly #counts = new Map<string, number>();

  next(original: string): string {
    const legal = legalToolWord(original);
    let count = (this.#counts.get(legal) ?? 0) + 1;
    let id = count === 1 ? legal : withCount(legal, count);
    while (this.#used.has(id)) id = withCount(legal, ++count);
    this.#counts.set(legal, count);
    this.#used.add(id);
    return id;
  }
}

function withCount(id: string, count: number): string {
  const suffix = `-${count}`;
  return id.slice(0, longest - suffix.length) + suffix;
}
