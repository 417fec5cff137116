import type { Clock } from "../../lib/clock.ts";
import type { Randomness } from "../../lib/ids.ts";
import type { Secret } from "../../lib/secret.ts";
import { webhookSignature } from "./webhook-signature.ts";

const maxTries = 6;
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
const timeoutMs = 10_000;

/** One thing to deliver. The id is the same when it is sent again. */
export interface Delivery {
  readonly id: string;
  readonly type: string;
  readonly body: string;
}

type Outcome = "delivered" | "retry" | "refused";

/** Brings one signed delivery at a time to a receiver, trying again with growing pauses. */
export class WebhookCourier {
  readonly #receiver: { readonly url: string; readonly secret: Secret };
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  /** Ends the pause before the next try. */
  #wake: (() => void) | undefined;
  #abort: AbortController | undefined;
  #hurries = false;
  #gaveUp = false;

  constructor(
    receiver: { readonly url: string; readonly secret: Secret },
    { clock, randomness }: { readonly clock: Clock; readonly randomness: Randomness },
  ) {
    this.#receiver = receiver;
    this.#clock = clock;
    this.#randomness = randomness;
  }

  get gaveUp(): boolean {
    return this.#gaveUp;
  }

  /** Cuts pauses short from now on. */
  hurry(): void {
    this.#hurries = true;
    this.#wake?.();
  }

  /** Ends what is under way; nothing is delivered any more. */
  giveUp(): void {
    this.#gaveUp = true;
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Returns why the delivery is lost, or undefined when it arrived. */
  async deliver(delivery: Delivery): Promise<string | undefined> {
    for (let tries = 1; ; tries++) {
      const outcome = await this.#post(delivery);
      if (outcome === "delivered") return undefined;
      if (outcome === "refused") return "it refuses events";
      const lost = `it did not take an event in ${tries} tries`;
      if (tries >= maxTries || this.#gaveUp) return lost;
      const waitMs = Math.min(longestWaitMs, firstWaitMs * 2 ** (tries - 1));
      // At least half of the pause, so that a receiver that comes back is not met by everyone at once, nor at once.
      await this.#pause(waitMs * (0.5 + this.#randomness.fraction() / 2));
      if (this.gaveUp) return lost;
    }
  }

  async #post({ id, type, body }: Delivery): Promise<Outcome> {
    const abort = new AbortController();
    this.#abort = abort;
    const cancel = this.#clock.after(timeoutMs, () => abort.abort());
    const timestamp = Math.floor(this.#clock.now() / 1000);
    try {
      const response = await fetch(this.#receiver.url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "user-agent": "fairlead",
          "x-fairlead-event": type,
          "x-fairlead-delivery": id,
          "x-fairlead-timestamp": String(timestamp),
          "x-fairlead-signature": webhookSignature(this.#receiver.secret, timestamp, body),
        },
        body,
        // A signed body follows nobody's redirect, and no proxy variable of the process.
        redirect: "manual",
        proxy: false,
        signal: abort.signal,
      } as BunFetchRequestInit);
      await response.body?.cancel();
      return judge(response.status);
    } catch {
      return "retry";
    } finally {
      cancel();
      this.#abort = undefined;
    }
  }

  /** While hurrying, pauses are cut short: whatever is left gets its tries before the time is up. */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#hurries ? Math.min(ms, firstWaitMs / 4) : ms, () => this.#wake?.());
      this.#wake = () => {
        this.#wake = undefined;
        cancel();
        resolve();
      };
    });
  }
}

function judge(status: number): Outcome {
  if (status >= 200 && status < 300) return "delivered";
  return status === 408 || status === 429 || status >= 500 ? "retry" : "refused";
}
