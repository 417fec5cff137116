import { vi } from "vitest";

export interface UpstreamState {
  readonly name: string;
  readonly healthy: boolean;
  readonly readiness: string;
  readonly models: readonly { readonly id: string; readonly breaker: string; readonly in_flight: number }[];
}

export async function upstreamStates(url: string): Promise<readonly UpstreamState[]> {
  const body = (await (await fetch(`${url}/health/upstreams`)).json()) as { upstreams: UpstreamState[] };
  return body.upstreams;
}

/** Asks `/health/upstreams` until the upstream is as wanted, a bounded number of times. */
export function untilUpstream(
  url: string,
  name: string,
  wanted: (state: UpstreamState) => boolean,
  timeout = 8_000,
): Promise<UpstreamState> {
  return vi.waitFor(
    async () => {
      const state = (await upstreamStates(url)).find((upstream) => upstream.name === name);
      if (state === undefined || !wanted(state)) throw new Error(`${name} is ${JSON.stringify(state)}`);
      return state;
    },
    { interval: 25, timeout },
  );
}
