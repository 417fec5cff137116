import { GatewayError } from "../core/errors.ts";

/** What one request's body holds of the memory for all of them. */
export interface BodyHold {
  /** Whether so many bytes would fit now. */
  fits(bytes: number): boolean;
  /** @throws GatewayError `overcapacity` */
  take(bytes: number): void;
  /** Gives everything back; only the first call counts. */
  release(): void;
}

/** Bounds the request bodies that are held at one time, in bytes as they came over the wire. */
export class BodyMemory {
  #held = 0;
  #refused = 0;
  #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get held(): number {
    return this.#held;
  }

  /** How many requests found no room since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Another bound from now on; what is held stays. */
  follow(maxBytes: number): void {
    this.#maxBytes = maxBytes;
  }

  hold(): BodyHold {
    let own = 0;
    const fits = (bytes: number): boolean => this.#held + bytes <= this.#maxBytes;
    return {
      fits,
      take: (bytes) => {
        if (!fits(bytes)) {
          this.#refused++;
          throw full(this.#maxBytes);
        }
        this.#held += bytes;
        own += bytes;
      },
      release: () => {
        this.#held -= own;
        own = 0;
      },
    };
  }
}

function full(maxBytes: number): GatewayError {
  return new GatewayError(
    "overcapacity",
    `The request bodies this gateway holds together may not exceed ${maxBytes} bytes (\`server.maxBufferedBytes\`).`,
  );
}
