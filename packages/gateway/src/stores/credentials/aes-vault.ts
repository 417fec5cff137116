import { createCipheriv, createDecipheriv } from "node:crypto";
import { GatewayError } from "../../core/errors.ts";
import type { CredentialVault } from "../../keys/credential-vault.ts";
import { deriveKey } from "../../keys/key-hash.ts";
import type { RandomBytes } from "../../keys/key-text.ts";
import type { Secret } from "../../lib/secret.ts";

const algorithm = "aes-256-gcm";
/** Names how the rest is to be read; a later format gets another one. */
const format = "v1";
const nonceSize = 12;
const tagSize = 16;

/**
 * AES-256-GCM under a key derived from `auth.secret`. Sealed text is `v1.` and base64url of nonce, tag and ciphertext;
 * the credential's name is authenticated with it.
 */
export function aesVault(secret: Secret, randomBytes: RandomBytes): CredentialVault {
  const key = deriveKey(secret, "stored credentials v1");
  return {
    async seal(name, value) {
      const nonce = randomBytes(nonceSize);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagSize }).setAAD(Buffer.from(name));
      const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
      return `${format}.${Buffer.concat([nonce, cipher.getAuthTag(), text]).toString("base64url")}`;
    },
    async open(name, sealed) {
      try {
        const [version, body] = sealed.split(".", 2);
        const bytes = Buffer.from(body ?? "", "base64url");
        if (version !== format || bytes.length < nonceSize + tagSize) throw new Error("not sealed text");
        const nonce = bytes.subarray(0, nonceSize);
        const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagSize })
          .setAAD(Buffer.from(name))
          .setAuthTag(bytes.subarray(nonceSize, nonceSize + tagSize));
        const text = Buffer.concat([decipher.update(bytes.subarray(nonceSize + tagSize)), decipher.final()]);
        return text.toString("utf8");
      } catch (cause) {
        const message = `The stored credential ${JSON.stringify(name)} cannot be read: \`auth.secret\` is not the one it was stored with. Store it again.`;
        throw new GatewayError("store_unavailable", message, { cause });
      }
    },
  };
}
