import type { Logger } from "pino";
import { ConfigError } from "../config/config-error.ts";
import { GatewayError } from "../core/errors.ts";
import type { Directory } from "../keys/directory.ts";
import type { Clock } from "../lib/clock.ts";
import { ConfigWatch, type Dealt } from "./config-watch.ts";
import type { FileConfigControl, Reloaded } from "./file-config-control.ts";

export interface ConfigReloadParts {
  readonly path: string;
  readonly control: FileConfigControl;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "warn">;
  readonly alert: (error: GatewayError) => void;
  /** Resolves when what was changed is in memory. */
  readonly changed: () => Promise<unknown>;
}

const againMs = 5_000;
const actor = { name: "config file", address: "-" };

/**
 * Brings a changed config file into force, when told to or by watching it. A file with faults changes nothing and is told
 * of once.
 */
export class ConfigReload {
  readonly #parts: ConfigReloadParts;
  readonly #watch: ConfigWatch;
  /** What was told of a file that is not used. */
  #told: string | undefined;
  #cancel = (): void => {};

  constructor(parts: ConfigReloadParts) {
    this.#parts = parts;
    const { clock, control, path } = parts;
    this.#watch = new ConfigWatch({
      clock,
      files: () => control.files(),
      changed: (paths) => this.reload(paths.some((changed) => changed !== path)),
    });
  }

  /** Follows the file from now on; what changed since it was read at the start comes into force too. */
  async watch(): Promise<void> {
    await this.#watch.start();
    await this.reload(false);
  }

  stop(): void {
    this.#cancel();
    this.#watch.stop();
  }

  /** Reads the file and its secrets again because somebody said so; also later, when the database does not answer now. */
  async readAgain(): Promise<void> {
    // Who signals right after writing may still be writing the next one.
    await this.#watch.rest();
    await this.#readNow();
  }

  async #readNow(): Promise<void> {
    this.#cancel();
    const dealt = await this.reload(true);
    if (dealt === "again") this.#cancel = this.#parts.clock.after(againMs, () => void this.#readNow());
  }

  /** Never rejects. `evenSame` brings secrets anew although the file says the same. */
  async reload(evenSame: boolean): Promise<Dealt> {
    const { control } = this.#parts;
    try {
      // After a fault the file may be as it is in force again, but a secret was the matter.
      const reloaded = await control.exclusively(async () => {
        const made = await control.reload(evenSame || this.#told !== undefined);
        if (made !== undefined) await this.#record(made);
        return made;
      });
      this.#told = undefined;
      if (reloaded !== undefined) this.#tell(reloaded);
      await this.#parts.changed().catch(() => {});
      return "done";
    } catch (thrown) {
      return this.#refuse(thrown);
    }
  }

  #refuse(thrown: unknown): Dealt {
    const { alert, path } = this.#parts;
    const isFault = thrown instanceof ConfigError;
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    if (why !== this.#told) {
      this.#told = why;
      const message = `${path} was changed and is not used; what was in force before stays. ${why}`;
      alert(new GatewayError("config_rejected", message, isFault ? {} : { cause: thrown }));
    }
    // Its text cannot get better by itself; a database that did not answer can.
    return isFault ? "done" : "again";
  }

  #tell({ version, changes, restartNeeded, warnings }: Reloaded): void {
    const { logger, path } = this.#parts;
    logger.info({ event: "config_reloaded", file: path, version, changes: changes.map((change) => change.path) });
    for (const warning of warnings) logger.warn({ event: "config_warning" }, warning);
    if (restartNeeded.length > 0) {
      logger.warn({ event: "restart_needed", paths: restartNeeded }, "These parts hold only after a restart.");
    }
  }

  /** The history and the audit log, as a change through the admin API has them. The config is in force without them. */
  async #record(reloaded: Reloaded): Promise<void> {
    const { directory, control, alert, path } = this.#parts;
    try {
      await directory.change(actor, async (changes) => {
        const { version } = reloaded;
        const known = await changes.get("config", version);
        const draft = { id: version, text: control.kept(), by: actor.name, note: `read from ${path}` };
        if (known === undefined) await changes.insert("config", draft, "config.reloaded");
        else await changes.note("config.reloaded", version, { changes: reloaded.changes.map((change) => change.path) });
      });
    } catch (thrown) {
      alert(GatewayError.from(thrown));
    }
  }
}
