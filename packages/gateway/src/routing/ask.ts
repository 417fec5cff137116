import type { Capability } from "@fairlead/contract/names";
import type { Features } from "../core/decision.ts";
import type { KeyFacts } from "../core/routing-facts.ts";
import type { RoutingWish } from "../core/routing-wish.ts";

/** Everything of a request that routing looks at: no prompt, so that a kept decision can be asked again. */
export interface Ask {
  /** The name asked for, after the key's own aliases; undefined for none. */
  readonly model: string | undefined;
  readonly features: Features;
  readonly needs: ReadonlySet<Capability>;
  readonly wish: RoutingWish;
  readonly key: KeyFacts;
  /** The key's data never leaves the premises. */
  readonly keyIsLocalOnly: boolean;
  /** Lower-case names, secrets left out. Called at most once, and only by conditions that ask. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly stream: boolean;
  /** The reasoning effort asked for, or empty. */
  readonly reasoning: string;
}
