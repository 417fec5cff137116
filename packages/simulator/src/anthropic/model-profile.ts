/** What one Claude model accepts. */
export interface ModelProfile {
  /** `one` allows temperature or top_p, not both. */
  readonly sampling: "any" | "one" | "none";
  readonly thinking: readonly string[];
  readonly thinksByDefault: boolean;
  readonly omitsThinking: boolean;
  readonly efforts: readonly string[];
  readonly prefill: boolean;
  readonly forcedTool: boolean;
  readonly systemTurns: boolean;
  readonly window: number;
  readonly maxOutput: number;
}

const BASIC = ["low", "medium", "high"];
const WIDE = [...BASIC, "max"];
const ALL = [...BASIC, "xhigh", "max"];

const OLD: ModelProfile = {
  sampling: "any",
  thinking: ["enabled", "disabled"],
  thinksByDefault: false,
  omitsThinking: false,
  efforts: [],
  prefill: true,
  forcedTool: true,
  systemTurns: false,
  window: 200_000,
  maxOutput: 64_000,
};
const GEN_46: ModelProfile = {
  ...OLD,
  sampling: "one",
  thinking: ["enabled", "adaptive", "disabled"],
  efforts: WIDE,
  prefill: false,
  window: 1_000_000,
  maxOutput: 128_000,
};
const GEN_47: ModelProfile = {
  ...GEN_46,
  sampling: "none",
  thinking: ["adaptive", "disabled"],
  omitsThinking: true,
  efforts: ALL,
  systemTurns: true,
};
const GEN_5: ModelProfile = { ...GEN_47, thinksByDefault: true };
const NEWEST: ModelProfile = { ...GEN_5, thinking: ["adaptive"], forcedTool: false };

/** Looks up a model by its name; unknown names count as the newest generation. */
export function profileOf(model: string): ModelProfile {
  const named = /claude-(opus|sonnet|haiku|fable|mythos)-(\d+)(?:-(\d{1,2})(?!\d))?/.exec(model);
  const old = /claude-(\d)(?:-\d)?-(opus|sonnet|haiku)/.exec(model);
  if (old !== null) return { ...OLD, maxOutput: 4_096 };
  if (named === null) return NEWEST;
  const [, family = "", major = "0", minor = "0"] = named;
  const version = Number(major) * 100 + Number(minor);
  if (version < 405) return { ...OLD, maxOutput: family === "opus" ? 32_000 : 64_000 };
  if (version === 405) return { ...OLD, sampling: "one", efforts: family === "opus" ? BASIC : [] };
  if (version === 406) return GEN_46;
  if (version < 500) return GEN_47;
  if (family === "haiku" || (version === 500 && (family === "opus" || family === "sonnet"))) return GEN_5;
  if (family === "sonnet") return { ...NEWEST, thinking: ["adaptive", "between_tools"] };
  return { ...NEWEST, forcedTool: family === "mythos" || (family === "fable" && version === 500) };
}
