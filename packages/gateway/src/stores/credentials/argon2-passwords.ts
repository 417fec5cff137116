import type { PasswordHash } from "../../keys/password-hash.ts";

/** Hashes passwords with argon2id: about 64 MB and a tenth of a second each, off the main thread. */
export const argon2Passwords: PasswordHash = {
  hash: (password) => Bun.password.hash(password, { algorithm: "argon2id" }),
  async verify(password, hash) {
    try {
      return await Bun.password.verify(password, hash, "argon2id");
    } catch {
      // A hash that is none is nobody's.
      return false;
    }
  },
};
