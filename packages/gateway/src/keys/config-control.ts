/** One thing wrong with a config. */
export interface ConfigFinding {
  readonly path: string;
  readonly message: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
}

export interface ConfigCheck {
  readonly problems: readonly ConfigFinding[];
  readonly warnings: readonly string[];
}

/** How a config differs from the running one. Values hold no secret. */
export interface ConfigPlan extends ConfigCheck {
  readonly changes: readonly {
    readonly path: string;
    readonly change: "added" | "removed" | "changed";
    readonly before: unknown;
    readonly after: unknown;
  }[];
  /** Paths that only hold after a restart. */
  readonly restartNeeded: readonly string[];
}

/** Reads, checks and replaces the running config. Who implements it knows files and hot reload. */
export interface ConfigControl {
  /**
   * The running config without secrets. `version` names its text: that of an applied one, or one made of the text that
   * the process started with.
   */
  current(): { readonly version: string; readonly text: string };
  /** The running config as a history may keep it: whole, unless it has secrets written out. */
  kept(): string;
  /** Runs one change at a time: what was read inside one still holds at its end. */
  exclusively<T>(change: () => Promise<T>): Promise<T>;
  /** The same text without secrets. */
  redact(text: string): string;
  plan(text: string): Promise<ConfigPlan>;
  /** Puts the config in force under this version, or throws and leaves the running one. Call it inside `exclusively`. */
  apply(text: string, version: string): Promise<void>;
}
