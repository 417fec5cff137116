import { createHash } from "node:crypto";
import { accessSync, constants, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import type { Gateway, Snapshot } from "../build-gateway.ts";
import { ConfigError, formatProblemText } from "../config/config-error.ts";
import { diffConfigs } from "../config/diff-configs.ts";
import { literalSecrets, redactConfig } from "../config/redact-config.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import { GatewayError } from "../core/errors.ts";
import type { ConfigControl, ConfigFinding, ConfigPlan } from "../keys/config-control.ts";
import type { Loaded } from "./load.ts";

export interface FileConfigParts {
  readonly path: string;
  /** The config the process started with. */
  readonly loaded: Loaded;
  /** Fetches what a config refers to and resolves it. @throws ConfigError */
  readonly resolve: (loaded: Loaded) => Promise<ResolvedConfig>;
  /** Turns a resolved config into what a gateway takes. */
  readonly snapshot: (resolved: ResolvedConfig) => Promise<Snapshot>;
  readonly gateway: () => Pick<Gateway, "apply">;
}

/** The parts of a config that are read once, at the start. */
const restartPaths = /^(server\.(host|port|drain)|storage|shared|auth|admin|webhooks|logging|routing\.breaker)/;

/** Begins with zeros so that a history sorts it before what is applied in the same millisecond. */
function versionOf(text: string): string {
  return `00000000${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
}

/**
 * The config file as the admin API sees it: a change is checked, written to the file, and in force at once for new
 * requests. The file stays the truth: a restart runs what it says.
 */
export class FileConfigControl implements ConfigControl {
  readonly #parts: FileConfigParts;
  /** What the parts that are read once still are. */
  readonly #started: string;
  #text: string;
  #version: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: FileConfigParts) {
    this.#parts = parts;
    this.#started = readFileSync(parts.path, "utf8");
    this.#text = this.#started;
    this.#version = versionOf(this.#started);
  }

  current(): { version: string; text: string } {
    return { version: this.#version, text: redactConfig(this.#text) };
  }

  kept(): string {
    return literalSecrets(this.#text).length > 0 ? redactConfig(this.#text) : this.#text;
  }

  exclusively<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change);
    this.#last = done.catch(() => {});
    return done;
  }

  redact(text: string): string {
    return redactConfig(text);
  }

  async plan(text: string): Promise<ConfigPlan> {
    const accepted = await this.#accept(text);
    if (Array.isArray(accepted)) return { problems: accepted, warnings: [], changes: [], restartNeeded: [] };
    const restartNeeded = diffConfigs(this.#started, text)
      .map(({ path }) => path)
      .filter((path) => restartPaths.test(path));
    const changes = diffConfigs(this.#text, text);
    return { problems: [], warnings: accepted.warnings, changes, restartNeeded };
  }

  async apply(text: string, version: string): Promise<void> {
    const accepted = await this.#accept(text);
    if (Array.isArray(accepted)) {
      const [problem] = accepted;
      throw new GatewayError("invalid_request", `${problem?.path}: ${problem?.message}`, { param: "text" });
    }
    const snapshot = await this.#parts.snapshot(accepted);
    this.#checkFile(text);
    this.#write(text);
    this.#parts.gateway().apply(snapshot);
    this.#text = text;
    this.#version = version;
  }

  /** The config, or what is wrong with it. Nothing that is kept in a history may hold a secret. */
  async #accept(text: string): Promise<ResolvedConfig | ConfigFinding[]> {
    try {
      const literal = literalSecrets(text);
      if (literal.length > 0) {
        const message =
          "holds a secret that is written out: expected a reference such as `${NAME}`, `{ file }` or `{ store }`";
        return literal.map((path) => ({ path, message, line: undefined, column: undefined }));
      }
      return await this.#parts.resolve(this.#parts.loaded.reread(text));
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
      "The config file was changed by other means since it was read. Restart to run what it says, or apply its own text.";
    throw new GatewayError("conflict", message);
  }

  #write(text: string): void {
    const { path } = this.#parts;
    const readOnly = (cause: unknown): GatewayError =>
      new GatewayError(
        "conflict",
        "The config file cannot be written from here. Change it where it is managed, for example in the ConfigMap.",
        { cause },
      );
    try {
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
