import type { Repair } from "../core/errors.ts";
import type { UpstreamFault } from "./upstream-fault.ts";

/** What a target said it cannot take, and the change that makes it accept the request without losing its meaning. */
export interface RejectedCapability {
  readonly capability: string;
  readonly repair?: Repair;
}

/** Parameters that only hint: an answer without them is still the answer asked for. */
const hints = new Set([
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "presence_penalty",
  "frequency_penalty",
  "logit_bias",
  "seed",
  "metadata",
  "user",
  "safety_identifier",
  "store",
  "service_tier",
  "verbosity",
  "prediction",
  "prompt_cache_key",
  "prompt_cache_retention",
]);

/** Refusals of a whole feature, by their wording. */
const features: readonly (readonly [RegExp, string])[] = [
  [/does not support assistant message prefill/i, "prefill"],
  [/thinking\.type\.enabled.{0,5} is not supported/i, "thinking.type.enabled"],
  [/adaptive thinking is not supported/i, "thinking.type.adaptive"],
  [
    /image input is not supported|does not support (?:image|vision)|not a multimodal model|at most 0 image|does not have vision/i,
    "vision",
  ],
  [
    /does not support (?:tools|function calling)|tool choice requires --enable-auto-tool-choice|requires --jinja/i,
    "tools",
  ],
];

/** Refusals of one parameter; the group is its name. */
const parameters: readonly RegExp[] = [
  /unsupported (?:value|parameter)s?: [`'"]?([\w.[\]]+)/i,
  /(?:unknown|unrecognized) (?:parameter|request arguments? supplied|name):? [`'"]?([\w.[\]]+)/i,
  /(?:^|[\s;])([\w.[\]]+): Extra inputs are not permitted/,
  /[`'"]([\w.[\]]+)[`'"] (?:is|are|does)(?: not|n't) support(?:ed)?\b/i,
  /[`'"]([\w.[\]]+)[`'"] is deprecated for this model/i,
  /[`'"]temperature[`'"] and [`'"](top_p)[`'"] cannot both be/i,
];

const codes = new Set(["unsupported_parameter", "unsupported_value", "unknown_parameter"]);

/**
 * Recognises a refusal of a parameter or a feature, as opposed to a request that is wrong for every target.
 * @see docs/spec/wire-formats.md 7.2, `capability_rejected`
 */
export function detectRejectedCapability(fault: UpstreamFault): RejectedCapability | undefined {
  const text = fault.message.slice(0, 4096);
  if (/function tools with reasoning_effort/i.test(text)) {
    const endpoint = /use (\/v1\/[\w/]+)/.exec(text)?.[1];
    const capability = "chat_tools_with_reasoning";
    return endpoint === undefined ? { capability } : { capability, repair: { type: "use-endpoint", endpoint } };
  }
  const feature = features.find(([pattern]) => pattern.test(text));
  if (feature !== undefined) return { capability: feature[1] };

  const named = nameIn(text);
  const said = codes.has(fault.code) || named !== undefined || /not supported (?:by|with) this model/i.test(text);
  if (!said) return undefined;
  const param = fault.param || named || "unknown";
  const repair = repairOf(param, text);
  return repair === undefined ? { capability: param } : { capability: param, repair };
}

function nameIn(text: string): string | undefined {
  for (const pattern of parameters) {
    const name = pattern.exec(text)?.[1];
    if (name !== undefined) return name.replace(/\.$/, "");
  }
  return undefined;
}

function repairOf(param: string, text: string): Repair | undefined {
  if (hints.has(param)) return { type: "drop-param", param };
  const isLimit = param === "max_tokens" || param === "max_completion_tokens";
  const other = param === "max_tokens" ? "max_completion_tokens" : "max_tokens";
  return isLimit && text.includes(other) ? { type: "rename-param", from: param, to: other } : undefined;
}
