import type { ReasoningEffort } from "../../core/chat.ts";

/** What one group of models accepts. Data only: no code elsewhere looks at a model's name. */
export interface ModelProfile {
  /** `one`: temperature or top_p, not both; `none`: neither, nor top_k. */
  readonly sampling: "both" | "one" | "none";
  /** How thinking is asked for. */
  readonly thinking: "adaptive" | "budget" | "none";
  readonly canDisableThinking: boolean;
  /** Levels of `output_config.effort`, lowest first. */
  readonly efforts: readonly ReasoningEffort[];
  readonly prefill: boolean;
  /** `not-thinking`: refused while thinking of type `enabled` is on. */
  readonly forcedTool: "always" | "not-thinking" | "never";
  /** Takes `output_config.format` and strict tools. */
  readonly structuredOutput: boolean;
  /** Takes messages of role `system` after a user turn. */
  readonly midSystem: boolean;
  readonly maxOutputTokens: number;
}

const efforts46 = ["low", "medium", "high", "max"] as const;
const efforts47 = ["low", "medium", "high", "xhigh", "max"] as const;

const claude3: ModelProfile = {
  sampling: "both",
  thinking: "none",
  canDisableThinking: false,
  efforts: [],
  prefill: true,
  forcedTool: "always",
  structuredOutput: false,
  midSystem: false,
  maxOutputTokens: 4096,
};
const claude37: ModelProfile = {
  ...claude3,
  thinking: "budget",
  canDisableThinking: true,
  forcedTool: "not-thinking",
  maxOutputTokens: 64_000,
};
const claude4: ModelProfile = { ...claude37, sampling: "one" };
const claude45: ModelProfile = { ...claude4, structuredOutput: true };
const claude46: ModelProfile = {
  ...claude45,
  thinking: "adaptive",
  efforts: efforts46,
  prefill: false,
  forcedTool: "always",
  maxOutputTokens: 128_000,
};
const claude47: ModelProfile = { ...claude46, sampling: "none", efforts: efforts47 };
const claude48: ModelProfile = { ...claude47, midSystem: true };
const claude55: ModelProfile = { ...claude48, canDisableThinking: false, forcedTool: "never" };

/** Models of another maker behind this format: the plain core of it. */
export const foreignProfile: ModelProfile = { ...claude3, maxOutputTokens: 8192 };

/** Unknown Claude models count as this: refusing too much costs a parameter, refusing too little the request. */
export const newestProfile: ModelProfile = claude55;

/**
 * Profiles by model id (lower case, dots as dashes); the first match counts. A version number followed by another short
 * number is a different model; followed by eight digits it is a dated one.
 * @see docs/spec/wire-formats.md 1.1
 */
export const modelProfiles: readonly (readonly [RegExp, ModelProfile])[] = [
  [/claude-3-7/, claude37],
  [/claude-3-5/, { ...claude3, maxOutputTokens: 8192 }],
  [/claude-(?:3|2|instant)(?:-|$)/, claude3],
  [/-4-5(?:\D|$)/, claude45],
  [/-4-6(?:\D|$)/, claude46],
  [/-4-7(?:\D|$)/, claude47],
  [/-4-8(?:\D|$)/, claude48],
  [/opus-4(?:-[01])?(?!-?\d{1,2}(?!\d))/, { ...claude4, maxOutputTokens: 32_000 }],
  [/sonnet-4(?:-0)?(?!-?\d{1,2}(?!\d))/, claude4],
  [/haiku-5-5(?:\D|$)/, claude48],
  [/(?:opus|sonnet)-5-5(?:\D|$)/, claude55],
  [/sonnet-5(?!-?\d{1,2}(?!\d))/, claude47],
  [/opus-5(?!-?\d{1,2}(?!\d))/, claude48],
  [/fable-5(?:-0)?(?!-?\d{1,2}(?!\d))/, { ...claude55, forcedTool: "always" }],
];
