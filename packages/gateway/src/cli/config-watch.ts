import { realpath, stat } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";

/** Whether what changed was dealt with, or must be tried again although it does not change any more. */
export type Dealt = "done" | "again";

export interface ConfigWatchParts {
  readonly clock: Clock;
  /** What to look at, asked at each look. */
  readonly files: () => readonly string[];
  /** Told which files are others than before, once they are at rest. Must not reject. */
  readonly changed: (paths: readonly string[]) => Promise<Dealt>;
}

const everyMs = 1_000;
/** A file that is being written is at rest when it stayed the same for so long. */
const restMs = 300;
const againMs = 5_000;
/** A file that is written to for longer than this many times `restMs` is read as it is. */
const mostLooks = 10;

type Prints = ReadonlyMap<string, string>;

/**
 * Looks at files once a second. Links are followed each time: a Kubernetes ConfigMap or Secret changes by the link of a
 * folder above it, of which a watch of the file itself would never hear.
 */
export class ConfigWatch {
  readonly #parts: ConfigWatchParts;
  #known: Prints = new Map();
  #moving: Prints | undefined;
  #cancel = (): void => {};
  #stopped = false;

  constructor(parts: ConfigWatchParts) {
    this.#parts = parts;
  }

  /** What the files are now counts as known. */
  async start(): Promise<void> {
    this.#known = await this.#look();
    this.#wait(everyMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Resolves when nobody wrote to the files lately, or goes on writing for ever. */
  async rest(): Promise<void> {
    const { clock, files } = this.#parts;
    for (let looks = 0; looks < mostLooks; looks++) {
      const changed = await Promise.all(
        files().map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs),
      );
      const ageMs = clock.now() - Math.max(0, ...changed.filter((ms) => ms !== undefined));
      if (ageMs < 0 || ageMs >= restMs) return;
      await new Promise<void>((resolve) => clock.after(restMs - ageMs, resolve));
    }
  }

  #wait(ms: number): void {
    if (!this.#stopped) this.#cancel = this.#parts.clock.after(ms, () => void this.#round());
  }

  async #look(): Promise<Prints> {
    const paths = this.#parts.files();
    return new Map(await Promise.all(paths.map(async (path) => [path, await printOf(path)] as const)));
  }

  async #round(): Promise<void> {
    const now = await this.#look();
    if (this.#stopped) return;
    const known = this.#known;
    // A file that is looked at for the first time was read a moment ago.
    const paths = [...now].filter(([path, print]) => (known.get(path) ?? print) !== print).map(([path]) => path);
    if (paths.length === 0) {
      this.#known = now;
      this.#moving = undefined;
      return this.#wait(everyMs);
    }
    const moving = this.#moving;
    this.#moving = now;
    if (moving === undefined || [...now].some(([path, print]) => moving.get(path) !== print)) return this.#wait(restMs);
    this.#moving = undefined;
    const dealt = await this.#parts.changed(paths);
    if (dealt === "again") return this.#wait(againMs);
    this.#known = now;
    this.#wait(everyMs);
  }
}

/** Differs for any two states of what a path leads to. */
async function printOf(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(real, { bigint: true });
    return [real, dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return "absent";
  }
}
