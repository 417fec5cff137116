import { join } from "node:path";
import type { StorageConfig } from "@fairlead/contract/config-schema";
import type { Secret } from "../lib/secret.ts";
import type { ConfigPath } from "./config-error.ts";
import type { Env } from "./interpolate.ts";
import type { Resolution } from "./resolution.ts";
import { resolveSecret } from "./resolve-secret.ts";

/** Where keys, budgets and the ledger are kept. */
export type Database =
  | { readonly kind: "memory" }
  | { readonly kind: "sqlite"; readonly path: string }
  | { readonly kind: "postgres"; readonly url: Secret };

export interface StorageSettings {
  readonly database: Database;
  /** Folder of the journal, the tokens and the secret of this machine; made when it is first needed. */
  readonly dir: string;
  /** Nobody named a place: one that cannot be written is then no reason not to serve. */
  readonly isUsual: boolean;
  readonly journalMaxBytes: number;
  readonly whenUnwritable: "serve" | "refuse";
  readonly retentionDays: number;
}

const usualDir = "fairlead-data";

/** Folder of the journal, the tokens and the secret of this machine. The image names a place for a volume. */
export function storageDir(storage: Pick<StorageConfig, "dir">, env: Env): string {
  return storage.dir ?? (env["FAIRLEAD_DATA"] || usualDir);
}

const at: ConfigPath = ["storage", "url"];

/** Reads where the database is. A URL may hold a password, so no fault or warning shows it. */
export function resolveStorage(storage: StorageConfig, resolution: Resolution): StorageSettings {
  const { url: reference, journalMaxBytes, whenUnwritable, retentionDays } = storage;
  const dir = storageDir(storage, resolution.env);
  const rest = { dir, journalMaxBytes, whenUnwritable, retentionDays };
  const file = join(dir, "fairlead.db");
  const usual: Database = { kind: "sqlite", path: file };
  if (reference === undefined) return { database: usual, isUsual: storage.dir === undefined, ...rest };
  return { database: readUrl(reference, resolution) ?? usual, isUsual: false, ...rest };
}

function readUrl(reference: NonNullable<StorageConfig["url"]>, resolution: Resolution): Database | undefined {
  // A URL without a password may stand in the config, unlike a key.
  const quiet: Resolution = { ...resolution, warnings: [] };
  const found = resolveSecret(reference, at, quiet);
  if (found === undefined) return undefined;
  const url = found.reveal();
  if (url === "memory") return { kind: "memory" };
  if (url.startsWith("sqlite:")) {
    const path = url.slice("sqlite:".length).replace(/^\/\/(?=\/)/, "");
    if (path !== "") return { kind: "sqlite", path };
  }
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) {
    if (typeof reference === "string" && !reference.includes("${") && new URL(url).password !== "") {
      resolution.warnings.push(
        "storage.url holds a password written out in the config; keep it in the environment (`${NAME}`) or in a file instead",
      );
    }
    return { kind: "postgres", url: found };
  }
  resolution.faults.push({
    at,
    what: "is no database URL",
    expected: "`memory`, `sqlite:<file>` or `postgres://user:password@host/database`",
  });
  return undefined;
}

/** Keys must hash alike everywhere, so replicas on one database must be told the same secret. */
export function checkSharedSecret({ database }: StorageSettings, hasSecret: boolean, resolution: Resolution): void {
  if (database.kind !== "postgres" || hasSecret) return;
  const expected = "at least 32 characters, the same for every replica, for example `{ env: FAIRLEAD_SECRET }`";
  resolution.faults.push({ at: ["auth", "secret"], what: "is missing, and `storage.url` is shared", expected });
}
