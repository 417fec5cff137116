import type { Snapshot } from "../build-gateway.ts";
import { readStoredSecrets, storedNames } from "../config/fetch-stored-secrets.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { GatewayError } from "../core/errors.ts";
import type { SecretSource } from "../keys/secret-source.ts";
import type { Clock } from "../lib/clock.ts";
import type { Loaded } from "./load.ts";

export interface RunningConfigParts {
  readonly credentials: SecretSource;
  readonly clock: Clock;
  readonly snapshot: (resolved: ResolvedConfig) => Promise<Snapshot>;
  readonly apply: (snapshot: Snapshot) => void;
  readonly warn: (text: string) => void;
  readonly alert: (error: GatewayError) => void;
}

const firstRetryMs = 2_000;
const longestRetryMs = 60_000;

/**
 * The config in force and the stored credentials it refers to. An upstream whose credential cannot be had is left out,
 * and comes back by itself once it can be read.
 */
export class RunningConfig {
  readonly #parts: RunningConfigParts;
  readonly #origins = new WeakMap<ResolvedConfig | Snapshot, Loaded>();
  #loaded: Loaded;
  #absent: ReadonlySet<string> = new Set();
  /** Whether the store did not answer, so that new values may wait there. */
  #owed = false;
  #retryMs = firstRetryMs;
  #cancel = (): void => {};
  #stopped = false;

  constructor(loaded: Loaded, parts: RunningConfigParts) {
    this.#loaded = loaded;
    this.#parts = parts;
  }

  /** The config to start with. @throws ConfigError for everything but upstreams without their credential */
  async start(): Promise<ResolvedConfig> {
    const { resolved, absent, cause } = await this.#read(this.#loaded);
    this.#note(absent, cause);
    return resolved;
  }

  /** Resolves a config with all its credentials. @throws ConfigError, GatewayError `store_unavailable` */
  async resolve(loaded: Loaded): Promise<ResolvedConfig> {
    const { stored, cause } = await readStoredSecrets(loaded.config, this.#parts.credentials);
    if (cause !== undefined) throw cause;
    const resolved = loaded.resolve(stored);
    this.#origins.set(resolved, loaded);
    return resolved;
  }

  async snapshot(resolved: ResolvedConfig): Promise<Snapshot> {
    const snapshot = await this.#parts.snapshot(resolved);
    const loaded = this.#origins.get(resolved);
    if (loaded !== undefined) this.#origins.set(snapshot, loaded);
    return snapshot;
  }

  /** Puts in force what `resolve` and `snapshot` made. */
  apply(snapshot: Snapshot): void {
    this.#parts.apply(snapshot);
    this.#loaded = this.#origins.get(snapshot) ?? this.#loaded;
    this.#cancel();
    this.#absent = new Set();
  }

  refersTo(credential: string): boolean {
    return storedNames(this.#loaded.config).includes(credential);
  }

  /** Reads the credentials again and puts the config in force with them. */
  async refresh(): Promise<void> {
    for (;;) {
      const loaded = this.#loaded;
      const { resolved, absent, cause } = await this.#read(loaded);
      const snapshot = await this.#parts.snapshot(resolved);
      if (this.#stopped) return;
      // Another config came into force meanwhile: this one must not replace it.
      if (loaded !== this.#loaded) continue;
      // What was read before still serves while the store does not answer.
      if (cause === undefined || absent.size < this.#absent.size) this.#parts.apply(snapshot);
      this.#note(cause === undefined ? absent : this.#absent, cause);
      return;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #read(loaded: Loaded) {
    const { stored, cause } = await readStoredSecrets(loaded.config, this.#parts.credentials);
    const absent = new Set(storedNames(loaded.config).filter((name) => !stored.has(name)));
    return { resolved: loaded.resolve(stored, "left-out"), absent, cause };
  }

  #note(absent: ReadonlySet<string>, cause: GatewayError | undefined): void {
    this.#absent = absent;
    this.#owed = cause !== undefined;
    this.#cancel();
    if (absent.size === 0 && cause === undefined) {
      this.#retryMs = firstRetryMs;
      return;
    }
    if (cause !== undefined) this.#parts.alert(cause);
    if (this.#stopped) return;
    this.#cancel = this.#parts.clock.after(this.#retryMs, () => void this.#retry());
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
  }

  /** Nothing is put in force again until something more can be read. */
  async #retry(): Promise<void> {
    const { stored, cause } = await readStoredSecrets(this.#loaded.config, this.#parts.credentials);
    if (cause === undefined && (this.#owed || [...this.#absent].some((name) => stored.has(name)))) {
      await this.refresh().catch((thrown: unknown) => this.#parts.warn(String(thrown)));
    } else this.#note(this.#absent, cause);
  }
}
