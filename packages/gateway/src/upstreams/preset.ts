import type { Capability, EngineName, Placement, ProtocolName } from "@fairlead/contract/names";

/** A model whose facts its provider publishes. */
export interface KnownModel {
  readonly id: string;
  /** Prompt and output together, in tokens. */
  readonly contextWindow: number;
  /** Undefined where the provider names none. */
  readonly maxOutputTokens?: number;
  readonly capabilities: readonly Capability[];
}

/** How a provider wants its key, and the environment variable people keep it in. */
export type PresetAuth =
  | { readonly type: "none" }
  | { readonly type: "bearer"; readonly env: string }
  | { readonly type: "header"; readonly name: string; readonly env: string };

/** Everything that makes a provider or an engine different from another one that speaks the same protocol: data. */
export interface Preset {
  /** As people write it. */
  readonly label: string;
  readonly placement: Placement;
  readonly protocol: ProtocolName;
  readonly engine?: EngineName;
  /** Up to and including the API's version, without a trailing slash. */
  readonly baseUrl: string;
  readonly auth: PresetAuth;
  /** `false` where the provider has no list of models to ask for. */
  readonly listsModels: boolean;
  /** Query that asks for the whole list at once, where it comes in pages. */
  readonly modelsQuery?: string;
  /** Sent with a GET of the models list. */
  readonly probeHeaders?: Readonly<Record<string, string>>;
  /** `true` for a router that understands `provider`, `models` and `route` in the body. */
  readonly routesItself?: boolean;
  readonly models: readonly KnownModel[];
  /** The model meant when somebody asks this provider for its best. */
  readonly flagship?: string;
  /** Of a model that is not in the list. */
  readonly defaultCapabilities: readonly Capability[];
}
