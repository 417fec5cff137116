import type { CredentialVault } from "../../keys/credential-vault.ts";
import type { DirectoryReads } from "../../keys/directory.ts";

/** A place that secrets are read from before a config is resolved. Reading another one means writing another of these. */
export interface SecretReader {
  readonly name: string;
  /** Undefined for a reference that does not exist there. May throw when the place cannot be reached or read. */
  read(reference: string): Promise<string | undefined>;
}

/** Reads credentials that the admin API stored, for `{ store: name }` in a config. */
export function storedCredentials(directory: DirectoryReads, vault: CredentialVault): SecretReader {
  return {
    name: "store",
    async read(reference) {
      const credential = await directory.get("credential", reference);
      return credential === undefined ? undefined : vault.open(reference, credential.sealed);
    },
  };
}
