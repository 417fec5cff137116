import { Gone } from "./pause.ts";

/** Generation slots with a first-come queue; without a limit everything runs at once. */
export class SlotQueue {
  readonly #waiting: (() => void)[] = [];
  #limit: number;
  #running = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get limit(): number {
    return this.#limit;
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    this.#admit();
  }

  /** Waits for a slot and returns the function that frees it; throws `Gone` when the signal fires first. */
  async acquire(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw new Gone();
    if (this.#running < this.#limit && this.#waiting.length === 0) this.#running++;
    else await this.#enqueue(signal);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running--;
      this.#admit();
    };
  }

  #enqueue(signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        const at = this.#waiting.indexOf(enter);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(new Gone());
      };
      this.#waiting.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #admit(): void {
    while (this.#running < this.#limit) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
