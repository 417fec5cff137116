import type { Placement } from "@fairlead/contract/names";

/** A target reference, or every deployment of a placement whose model id matches. */
export type AliasCandidate = string | { readonly placement: Placement; readonly like: RegExp };

/** Names that work without configuration. The first candidate that exists is meant; without one the name is absent. */
export interface DefaultAlias {
  readonly name: string;
  readonly candidates: readonly AliasCandidate[];
  /** Placement that this name never leaves, also when the config gives it another meaning. */
  readonly placement: Placement;
}

/** @see docs/requirements.md B1 */
export const defaultAliases: readonly DefaultAlias[] = [
  { name: "local", candidates: ["@local"], placement: "local" },
  {
    name: "qwen2.5-7b",
    // Servers spell it `Qwen/Qwen2.5-7B-Instruct`, `qwen2.5:7b`, `qwen2.5-7b-instruct-q4_k_m.gguf`.
    candidates: [{ placement: "local", like: /qwen2\.5[-_:]7b/i }, "@local"],
    placement: "local",
  },
  { name: "cloud", candidates: ["claude-opus-4-8", "@cloud"], placement: "cloud" },
  {
    name: "claude",
    candidates: ["claude-opus-4-8", { placement: "cloud", like: /(^|\/)claude-/i }],
    placement: "cloud",
  },
];
