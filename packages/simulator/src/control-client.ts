import type { Expectation } from "./expectation.ts";
import type { FaultRule } from "./fault-rules.ts";
import type { HitFilter } from "./hit-filter.ts";
import type { Hit } from "./hit-log.ts";
import type { StateChange } from "./simulator-controls.ts";

/** Drives a running simulator over HTTP; needs only `fetch`. */
export interface ControlClient {
  hits(filter?: HitFilter): Promise<Hit[]>;
  clearHits(): Promise<void>;
  /** Resolves as soon as a hit matches, past ones included; rejects at the deadline. */
  waitForHit(filter: HitFilter, timeoutMs?: number): Promise<Hit>;
  setFault(fault: FaultRule | readonly FaultRule[] | null): Promise<void>;
  setExpect(expected: Expectation | readonly Expectation[] | null): Promise<void>;
  setState(change: StateChange): Promise<void>;
  /** Clears hits, faults, expectations and overrides, and makes the engine healthy, warm and unpaced. */
  reset(): Promise<void>;
}

/** Makes a client for the simulator at this origin. */
export function controlClient(url: string): ControlClient {
  const call = async (method: string, route: string, body?: unknown): Promise<unknown> => {
    const init: RequestInit = { method };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
      init.headers = { "content-type": "application/json" };
    }
    const response = await fetch(`${url}/__sim/${route}`, init);
    const answer = (await response.json()) as { error?: string };
    if (!response.ok) throw new Error(`simulator control ${method} ${route}: ${answer.error ?? response.status}`);
    return answer;
  };
  const put = async (route: string, body: unknown) => {
    await call("PUT", route, body);
  };
  return {
    hits: async (filter = {}) => (await call("GET", `hits?${queryOf(filter)}`)) as Hit[],
    clearHits: async () => {
      await call("DELETE", "hits");
    },
    waitForHit: async (filter, timeoutMs = 5_000) => {
      return (await call("GET", `wait-hit?timeoutMs=${timeoutMs}&${queryOf(filter)}`)) as Hit;
    },
    setFault: (fault) => put("fault", fault),
    setExpect: (expected) => put("expect", expected),
    setState: (change) => put("state", change),
    reset: async () => {
      await call("DELETE", "hits");
      await put("fault", null);
      await put("expect", null);
      await put("state", {
        healthy: true,
        sleeping: false,
        wakeMs: 0,
        coldMs: 0,
        slots: null,
        tokensPerSecond: null,
        firstTokenMs: 0,
        metrics: null,
      });
    },
  };
}

function queryOf(filter: HitFilter): string {
  const entries = Object.entries(filter).map(([name, value]): [string, string] => [name, String(value)]);
  return new URLSearchParams(entries).toString();
}
