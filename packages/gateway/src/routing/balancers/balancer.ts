import type { TargetView } from "../target-view.ts";

/** What a request is spread by. */
export interface BalanceAsk {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** 0 for none. */
  readonly prefixHash: number;
  /** 0 for none. */
  readonly conversationHash: number;
  /** Whatever names the client's session; its requests stay together. */
  readonly session?: string | undefined;
}

/** Puts a group of equals into the order to try them. Returns the whole group. */
export type Balancer = (group: readonly TargetView[], ask: BalanceAsk) => readonly TargetView[];

/** The group in another order by chance, so that equals among equals share evenly. */
export function shuffled(group: readonly TargetView[], ask: BalanceAsk): TargetView[] {
  const mixed = [...group];
  for (let last = mixed.length - 1; last > 0; last--) {
    const at = Math.floor(ask.fraction() * (last + 1));
    const [a, b] = [mixed[last], mixed[at]];
    if (a === undefined || b === undefined) continue;
    mixed[last] = b;
    mixed[at] = a;
  }
  return mixed;
}
