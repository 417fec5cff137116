import type { CredentialVault } from "../../keys/credential-vault.ts";
import type { DirectoryReads } from "../../keys/directory.ts";
import type { SecretSource } from "../../keys/secret-source.ts";

/** Reads credentials that the admin API stored, for `{ store: name }` in a config. */
export function storedCredentials(directory: DirectoryReads, vault: CredentialVault): SecretSource {
  return {
    name: "store",
    async read(reference) {
      const credential = await directory.get("credential", reference);
      return credential === undefined ? undefined : vault.open(reference, credential.sealed);
    },
  };
}
