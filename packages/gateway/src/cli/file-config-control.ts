import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import type { FairleadConfig } from "@fairlead/contract/config-schema";
import type { Gateway, Snapshot } from "../build-gateway.ts";
import { ConfigError, formatProblemText } from "../config/config-error.ts";
import { type ConfigChange, diffConfigs } from "../config/diff-configs.ts";
import { secretFiles } from "../config/fetch-stored-secrets.ts";
import { readConfigFile } from "../config/load-config.ts";
import { literalSecrets, redactConfig } from "../config/redact-config.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import { GatewayError } from "../core/errors.ts";
import type { ConfigControl, ConfigFinding, ConfigPlan } from "../keys/config-control.ts";
import type { Loaded } from "./load.ts";
import { restartNeeded } from "./restart-needed.ts";

export interface FileConfigParts {
  readonly path: string;
  /** The config the process started with. */
  readonly loaded: Loaded;
  /** Fetches what a config refers to and resolves it. @throws ConfigError */
  readonly resolve: (loaded: Loaded) => Promise<ResolvedConfig>;
  /** Turns a resolved config into what a gateway takes. */
  readonly snapshot: (resolved: ResolvedConfig) => Promise<Snapshot>;
  readonly gateway: () => Pick<Gateway, "apply">;
  /** What is in force, where that need not be what the file says now. A version is known of what was changed since the start. */
  readonly inForce?: { readonly text: string; readonly version?: string | undefined } | undefined;
  /** Other processes of the same gateway. */
  readonly others?: ConfigOthers | undefined;
}

/** Other processes that go by the same config. */
export interface ConfigOthers {
  /** Runs a change while none of them runs one. */
  alone<T>(change: () => Promise<T>): Promise<T>;
  /** Resolves when they go by it too. */
  inForce(config: { readonly text: string; readonly version: string }): Promise<void>;
}

/** What a reload brought. */
export interface Reloaded {
  readonly version: string;
  readonly changes: readonly ConfigChange[];
  readonly restartNeeded: readonly string[];
  readonly warnings: readonly string[];
}

/** Begins with zeros so that a history sorts it before what is applied in the same millisecond. */
function versionOf(text: string): string {
  return `00000000${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
}

/**
 * The config file: what it says is in force. A change through the admin API is checked, written to the file, and in force
 * at once for new requests; a change of the file is read by `reload`. A restart runs what it says.
 */
export class FileConfigControl implements ConfigControl {
  readonly #parts: FileConfigParts;
  /** What the parts that are read once still are. */
  readonly #started: FairleadConfig;
  #text: string;
  #version: string;
  /** Files from which secrets come, or would come had the last change of the file been accepted. */
  #secretFiles: readonly string[];
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: FileConfigParts) {
    this.#parts = parts;
    this.#started = parts.loaded.config;
    this.#text = parts.inForce?.text ?? readFileSync(parts.path, "utf8");
    this.#version = parts.inForce?.version ?? versionOf(this.#text);
    this.#secretFiles = secretFiles(this.#started);
  }

  get path(): string {
    return this.#parts.path;
  }

  /** The config file, and every file it takes a secret from. */
  files(): readonly string[] {
    return [this.#parts.path, ...this.#secretFiles];
  }

  /**
   * Puts in force what the file says now. Undefined when that is so already: with `evenSame` it is read again all the
   * same, for the secrets it refers to. Call it inside `exclusively`.
   * @throws ConfigError, GatewayError `store_unavailable`; then the config before stays
   */
  async reload(evenSame: boolean): Promise<Reloaded | undefined> {
    const text = readConfigFile(this.#parts.path);
    if (text === this.#text && !evenSame) return undefined;
    const loaded = this.#parts.loaded.reread(text);
    this.#secretFiles = [...new Set([...secretFiles(loaded.config), ...this.#secretFiles])];
    const resolved = await this.#parts.resolve(loaded);
    const snapshot = await this.#parts.snapshot(resolved);
    const changes = diffConfigs(this.#text, text);
    this.#parts.gateway().apply(snapshot);
    this.#secretFiles = secretFiles(loaded.config);
    if (text !== this.#text) this.#version = versionOf(text);
    this.#text = text;
    await this.#parts.others?.inForce({ text, version: this.#version });
    const { warnings } = resolved;
    return { version: this.#version, changes, restartNeeded: restartNeeded(this.#started, loaded.config), warnings };
  }

  current(): { version: string; text: string } {
    return { version: this.#version, text: redactConfig(this.#text) };
  }

  kept(): string {
    return literalSecrets(this.#text).length > 0 ? redactConfig(this.#text) : this.#text;
  }

  exclusively<T>(change: () => Promise<T>): Promise<T> {
    const { others } = this.#parts;
    const done = this.#last.then(() => (others === undefined ? change() : others.alone(change)));
    this.#last = done.catch(() => {});
    return done;
  }

  redact(text: string): string {
    return redactConfig(text);
  }

  async plan(text: string): Promise<ConfigPlan> {
    const accepted = await this.#accept(text);
    if (Array.isArray(accepted)) return { problems: accepted, warnings: [], changes: [], restartNeeded: [] };
    return {
      problems: [],
      warnings: accepted.resolved.warnings,
      changes: diffConfigs(this.#text, text),
      restartNeeded: restartNeeded(this.#started, accepted.loaded.config),
    };
  }

  async apply(text: string, version: string): Promise<void> {
    const accepted = await this.#accept(text);
    if (Array.isArray(accepted)) {
      const [problem] = accepted;
      throw new GatewayError("invalid_request", `${problem?.path}: ${problem?.message}`, { param: "text" });
    }
    const snapshot = await this.#parts.snapshot(accepted.resolved);
    this.#checkFile(text);
    this.#write(text);
    this.#parts.gateway().apply(snapshot);
    this.#secretFiles = secretFiles(accepted.loaded.config);
    this.#text = text;
    this.#version = version;
    await this.#parts.others?.inForce({ text, version });
  }

  /**
   * Puts in force what another process of the same gateway did, under whose lock this is.
   * @throws ConfigError, GatewayError `store_unavailable`; then this process differs from the others
   */
  async adopt(text: string, version: string): Promise<void> {
    const loaded = this.#parts.loaded.reread(text);
    const snapshot = await this.#parts.snapshot(await this.#parts.resolve(loaded));
    this.#parts.gateway().apply(snapshot);
    this.#secretFiles = secretFiles(loaded.config);
    this.#text = text;
    this.#version = version;
  }

  /** The config, or what is wrong with it. Nothing that is kept in a history may hold a secret. */
  async #accept(text: string): Promise<{ loaded: Loaded; resolved: ResolvedConfig } | ConfigFinding[]> {
    try {
      const literal = literalSecrets(text);
      if (literal.length > 0) {
        const message =
          "holds a secret that is written out: expected a reference such as `${NAME}`, `{ file }` or `{ store }`";
        return literal.map((path) => ({ path, message, line: undefined, column: undefined }));
      }
      const loaded = this.#parts.loaded.reread(text);
      return { loaded, resolved: await this.#parts.resolve(loaded) };
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown;
      return thrown.problems.map((problem) => ({
        path: problem.path,
        message: formatProblemText(problem),
        line: problem.line,
        column: problem.column,
      }));
    }
  }

  /** What somebody wrote into the file by hand is not overwritten; it may be what is applied. */
  #checkFile(text: string): void {
    let found: string | undefined;
    try {
      found = readFileSync(this.#parts.path, "utf8");
    } catch {
      return; // Writing it tells why.
    }
    if (found === this.#text || found === text) return;
    const message =
      "The config file was changed by other means, and what it says is not in force. If it does not come into force by itself in a moment, the log tells why: put the file right, or apply its own text.";
    throw new GatewayError("conflict", message);
  }

  #write(text: string): void {
    const readOnly = (cause: unknown): GatewayError =>
      new GatewayError(
        "conflict",
        "The config file cannot be written from here. Change it where it is managed, for example in the ConfigMap.",
        { cause },
      );
    try {
      // A link stays one: what it leads to is replaced.
      const path = realpathSync(this.#parts.path);
      accessSync(path, constants.W_OK);
      const draft = `${path}.new`;
      try {
        writeFileSync(draft, text, { mode: statSync(path).mode & 0o777 });
        renameSync(draft, path);
      } catch {
        // A file that is mounted by itself can be written but not replaced, and its folder may be read-only.
        writeFileSync(path, text);
      }
    } catch (thrown) {
      throw readOnly(thrown);
    }
  }
}
