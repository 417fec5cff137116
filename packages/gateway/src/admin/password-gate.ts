import { GatewayError } from "../core/errors.ts";
import type { PasswordHash } from "../keys/password-hash.ts";

const atOnce = 2;
const mostWaiting = 16;

/** Lets two passwords be hashed at once: each takes a core and 64 MB for a tenth of a second. */
export class PasswordGate implements PasswordHash {
  readonly #inner: PasswordHash;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #dummy: Promise<string> | undefined;

  constructor(inner: PasswordHash) {
    this.#inner = inner;
  }

  /** @throws GatewayError `overcapacity` when too many wait already */
  hash(password: string): Promise<string> {
    return this.#admit(() => this.#inner.hash(password));
  }

  /** @throws GatewayError `overcapacity` when too many wait already */
  verify(password: string, hash: string): Promise<boolean> {
    return this.#admit(() => this.#inner.verify(password, hash));
  }

  /** Takes as long as a check, for accounts that do not exist or have no password. Always false. */
  verifyNobody(password: string): Promise<false> {
    return this.#admit(async () => {
      this.#dummy ??= this.#inner.hash("nobody has this password");
      await this.#inner.verify(password, await this.#dummy);
      return false as const;
    });
  }

  async #admit<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= mostWaiting) {
        throw new GatewayError("overcapacity", "Too many people sign in at once. Try again.", { retryAfterMs: 2_000 });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      // Who waits takes over this one's place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
