import type { StrategyName } from "@fairlead/contract/routing-names";

/** Who asks. Issued by `policy/authenticate`, carried to the ledger. Made once per key, not per request. */
export interface Principal {
  readonly kind: "anonymous" | "shared-key" | "virtual-key" | "token";
  /** Stable id of the key, never the key itself; undefined for anonymous use. */
  readonly keyId: string | undefined;
  /** The key's name, unique among keys; rules in the config may use it in place of the id. */
  readonly keyName: string | undefined;
  readonly team: string | undefined;
  /** The person or service account the key belongs to. */
  readonly user: string | undefined;
  /** Every list must allow a model: the key's own, its team's. Names, `<upstream>/<model>`, `@local`, `@cloud`, `prefix*`. */
  readonly allowedModels: readonly (readonly string[])[];
  /** Undefined for all. */
  readonly allowedStrategies: ReadonlySet<StrategyName> | undefined;
  /** The key's own names for models, looked up before everyone's. */
  readonly aliases: ReadonlyMap<string, string>;
  /** How this key's `auto` is placed, unless the request says. */
  readonly strategy: StrategyName | undefined;
  /** Stand in every ledger row of this key. */
  readonly tags: readonly string[];
  readonly region: string | undefined;
  /** Prompts never leave self-hosted upstreams, whatever fails. */
  readonly isLocalOnly: boolean;
  /** Set for who gives way to interactive requests when the gateway is full. */
  readonly priority: "batch" | undefined;
}

export const anonymous: Principal = {
  kind: "anonymous",
  keyId: undefined,
  keyName: undefined,
  team: undefined,
  user: undefined,
  allowedModels: [],
  allowedStrategies: undefined,
  aliases: new Map(),
  strategy: undefined,
  tags: [],
  region: undefined,
  isLocalOnly: false,
  priority: undefined,
};
