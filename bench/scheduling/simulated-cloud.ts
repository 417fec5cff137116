import { Seeded } from "./seeded.ts";
import type { Listener } from "./simulated-engine.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import type { SimulatedRequest } from "./workload.ts";

const medianTtftMs = 600;
const tokensPerSecond = 80;

/** A cloud model with room for everybody: first tokens after about 600 ms, whatever the load. */
export class SimulatedCloud {
  readonly #clock: VirtualClock;
  readonly #seed: number;

  constructor(clock: VirtualClock, seed: number) {
    this.#clock = clock;
    this.#seed = seed;
  }

  send(request: SimulatedRequest, listener: Listener): void {
    // By request, so that contestants that send the same one meet the same luck.
    const random = new Seeded(this.#seed ^ Math.imul(request.id + 1, 0x9e3779b1));
    const firstMs = random.logNormal(medianTtftMs, 0.25) + request.promptTokens / 50;
    this.#clock.after(firstMs, () => listener.firstToken());
    this.#clock.after(firstMs + (request.outputTokens / tokensPerSecond) * 1_000, () => listener.end());
  }
}
