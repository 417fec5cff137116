import type { Budget, RateLimit } from "../core/budget.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Directory, PageOf } from "./directory.ts";
import type { DirectoryEntities, DirectoryKind } from "./directory-entities.ts";
import type { KeyRing } from "./key-ring.ts";

export interface MirrorOptions {
  readonly directory: Directory;
  readonly ring: KeyRing;
  readonly clock: Clock;
  /** Called after each load with what the API made, at the start and when anything changed. */
  readonly changed: (content: { readonly budgets: readonly Budget[]; readonly limits: readonly RateLimit[] }) => void;
  /** Told once when the directory stops answering; again only after it answered. */
  readonly alert: (error: GatewayError) => void;
  readonly pollMs?: number;
}

const usualPollMs = 3_000;
const pageSize = 1_000;

/**
 * Keeps keys, teams, budgets and limits of the directory in memory: loaded at the start, at once after a change in this
 * process, and within `pollMs` after another replica's. A directory that is down changes nothing that is loaded.
 */
export class DirectoryMirror {
  readonly #options: MirrorOptions;
  #version = -1;
  #running: Promise<boolean> | undefined;
  #again = false;
  #stopped = false;
  #failing = false;
  #cancelPoll = (): void => {};

  constructor(options: MirrorOptions) {
    this.#options = options;
  }

  /** Loads once and goes on polling. False when the directory does not answer: it is then asked again and again. */
  async start(): Promise<boolean> {
    const loaded = await this.refresh();
    this.#poll();
    return loaded;
  }

  /** Resolves when everything that was changed before this call is in memory, or the directory failed: then false. */
  refresh(): Promise<boolean> {
    if (this.#running !== undefined) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#run();
    return this.#running;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelPoll();
  }

  #poll(): void {
    if (this.#stopped) return;
    this.#cancelPoll = this.#options.clock.after(this.#options.pollMs ?? usualPollMs, () => {
      void this.refresh().then(() => this.#poll());
    });
  }

  async #run(): Promise<boolean> {
    let done = false;
    do {
      this.#again = false;
      done = await this.#loadIfChanged();
    } while (this.#again && !this.#stopped);
    // At once with the look at `#again`: a call that comes later must begin anew.
    this.#running = undefined;
    return done;
  }

  async #loadIfChanged(): Promise<boolean> {
    try {
      // Read first: a change that comes while loading shows at the next look.
      const version = await this.#options.directory.version();
      if (version !== this.#version) {
        await this.#load();
        this.#version = version;
      }
      this.#failing = false;
      return true;
    } catch (thrown) {
      if (!this.#failing) {
        const message = "Keys, budgets and limits cannot be read; what is loaded stays in force.";
        this.#options.alert(new GatewayError("store_unavailable", message, { cause: thrown }));
      }
      this.#failing = true;
      return false;
    }
  }

  async #load(): Promise<void> {
    const [keys, teams, disabledUsers, budgets, limits] = [
      await this.#all("key"),
      await this.#all("team"),
      await this.#all("user", { disabled: "yes" }),
      await this.#all("budget"),
      await this.#all("limit"),
    ];
    if (this.#stopped) return;
    this.#options.ring.replace({ keys, teams, disabledUsers });
    this.#options.changed({ budgets, limits });
  }

  async #all<K extends DirectoryKind>(kind: K, where?: PageOf<K>["where"]): Promise<DirectoryEntities[K][]> {
    const all: DirectoryEntities[K][] = [];
    let after: string | undefined;
    do {
      const page = await this.#options.directory.list(kind, { limit: pageSize, after, ...(where && { where }) });
      for (const item of page.items) all.push(item);
      after = page.next;
    } while (after !== undefined);
    return all;
  }
}
