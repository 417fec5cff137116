const numbers = { SIGTERM: 15, SIGINT: 2 } as const;
export type StopSignal = keyof typeof numbers;

/** A second signal ends the process at once; one that comes sooner is the echo of the first. */
const secondSignalMs = 500;

/**
 * Hears SIGTERM and SIGINT from the first moment: as the first process of a container nobody else would. Before somebody
 * listens there is nothing to finish, and the process ends at once.
 */
export class StopSignals {
  #stop: ((signal: StopSignal) => void) | undefined;
  #firstMs: number | undefined;

  constructor() {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => this.#heard(signal));
  }

  /** Called once, with the first signal. */
  listen(stop: (signal: StopSignal) => void): void {
    this.#stop = stop;
  }

  #heard(signal: StopSignal): void {
    if (this.#stop === undefined) process.exit(128 + numbers[signal]);
    if (this.#firstMs === undefined) {
      this.#firstMs = performance.now();
      this.#stop(signal);
      // A terminal's Ctrl+C reaches this process twice, directly and through the launcher; a person's second one is later.
    } else if (performance.now() - this.#firstMs > secondSignalMs) process.exit(130);
  }
}
