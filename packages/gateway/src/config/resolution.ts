import type { ConfigPath, Fault } from "./config-error.ts";
import type { ConfigSource } from "./config-source.ts";
import type { StoredSecrets } from "./fetch-stored-secrets.ts";
import type { Env } from "./interpolate.ts";

/** What resolving reads from, and where it notes what it finds. */
export interface Resolution {
  readonly source: ConfigSource;
  readonly env: Env;
  /** Reads a secret's file. @throws when it cannot */
  readonly readFile: (path: string) => string;
  /** Folders of this machine's own secrets, which no config may send anywhere; absent where none is read in earnest. */
  readonly ownDirs?: readonly string[];
  /** Credentials of the store, read before. */
  readonly stored?: StoredSecrets;
  /** What becomes of an upstream whose stored credential is not among them. */
  readonly withoutStored?: "fault" | "left-out";
  /** Upstreams that this process started itself. */
  readonly simulated: ReadonlySet<string>;
  /** Upstreams whose models nobody named. */
  readonly assumed: ReadonlySet<string>;
  readonly faults: Fault[];
  readonly warnings: string[];
}

/** Notes something that is missing. */
export function missing(resolution: Resolution, at: ConfigPath, expected: string): undefined {
  resolution.faults.push({ at, what: "is missing", expected });
  return undefined;
}
