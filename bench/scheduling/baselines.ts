import type { AttemptEvents, Choice, Contestant } from "./contestant.ts";
import { Seeded } from "./seeded.ts";
import type { SimulatedRequest } from "./workload.ts";

/** Picks an engine from how many requests each has in flight. */
type Pick = (inFlight: readonly number[]) => number;

export function roundRobin(): Pick {
  let next = 0;
  return (inFlight) => next++ % inFlight.length;
}

export function leastBusy(): Pick {
  let turn = 0;
  return (inFlight) => {
    const least = Math.min(...inFlight);
    const equal = inFlight.flatMap((count, engine) => (count === least ? [engine] : []));
    return equal[turn++ % equal.length] ?? 0;
  };
}

/** Sends a fixed share of requests to the cloud, chosen at random, and the others to engines as `pick` says. */
export class FixedShare implements Contestant {
  readonly #pick: Pick;
  readonly #cloudShare: number;
  readonly #inFlight: number[];

  constructor(pick: Pick, engines: number, cloudShare: number) {
    this.#pick = pick;
    this.#cloudShare = cloudShare;
    this.#inFlight = new Array<number>(engines).fill(0);
  }

  choose(request: SimulatedRequest): { choice: Choice; events: AttemptEvents } {
    // By request: a larger share sends the same ones and some more, so the share can be found by halving.
    const luck = new Seeded(Math.imul(request.id + 1, 0x85ebca6b)).fraction();
    if (luck < this.#cloudShare) return { choice: "cloud", events: { firstToken() {}, end() {} } };
    const engine = this.#pick(this.#inFlight);
    this.#add(engine, 1);
    return { choice: engine, events: { firstToken() {}, end: () => this.#add(engine, -1) } };
  }

  scraped(): void {}

  #add(engine: number, count: number): void {
    this.#inFlight[engine] = (this.#inFlight[engine] ?? 0) + count;
  }
}
