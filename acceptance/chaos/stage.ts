import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { type SimulatorProcess, startSimulator } from "../setup/simulator-process.ts";
import type { Seen } from "./ask.ts";

/** `short` proves each promise on few requests, `long` on many. */
export type Form = "short" | "long";

/** What became of requests. `failed` got an honest error; `lost` neither an answer nor that. */
export interface Counts {
  sent: number;
  answered: number;
  failed: number;
  lost: number;
}

export const noCounts = (): Counts => ({ sent: 0, answered: 0, failed: 0, lost: 0 });

export function addCounts(to: Counts, more: Counts): void {
  for (const name of ["sent", "answered", "failed", "lost"] as const) to[name] += more[name];
}

/** Keys for upstreams whose preset wants one; the simulators take any. */
const keys = { ANTHROPIC_API_KEY: "any", OPENAI_API_KEY: "any" };
/** A list of what went wrong is not grown for ever. */
const mostTold = 50;

/** What one scenario runs on: it stops what it started, counts what became of requests and keeps what did not hold. */
export class Stage {
  readonly form: Form;
  readonly counts = noCounts();
  /** Promises that did not hold. */
  readonly broken: string[] = [];
  readonly #closing: (() => unknown)[] = [];

  constructor(form: Form) {
    this.form = form;
  }

  pick<T>(short: T, long: T): T {
    return this.form === "short" ? short : long;
  }

  /** Notes a promise that does not hold. */
  expect(holds: boolean, promise: string): void {
    if (holds || this.broken.length >= mostTold || this.broken.includes(promise)) return;
    this.broken.push(promise);
  }

  /** Counts one request, and notes it where it was lost. */
  count(seen: Seen, what = ""): void {
    this.counts.sent++;
    if (seen.end === "answered" || seen.end === "continued") this.counts.answered++;
    else if (seen.end === "lost") this.counts.lost++;
    else this.counts.failed++;
    if (seen.end === "lost") this.expect(false, `${what}: ${seen.label}`);
  }

  onEnd(close: () => unknown): void {
    this.#closing.push(close);
  }

  async simulator(...flags: string[]): Promise<SimulatorProcess> {
    const simulator = await startSimulator(...flags);
    this.onEnd(() => {
      // One that a fault has stopped would not hear that it shall end.
      simulator.child.process.kill("SIGCONT");
      return simulator.stop();
    });
    return simulator;
  }

  async gateway(config: FairleadConfigInput, env: Readonly<Record<string, string>> = {}): Promise<GatewayProcess> {
    const gateway = await startGateway({ config, env: { ...keys, ...env } });
    this.onEnd(() => gateway.stop());
    return gateway;
  }

  /** Stops everything, what was started last first. */
  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}
