import { createHash } from "node:crypto";
import type { ChatRequest } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { CodecTarget } from "../codec.ts";
import type { ModelProfile } from "./model-profiles.ts";
import { unavailable } from "./unavailable.ts";

/** Members of `extra` that steer the gateway or change nothing: left out without a word. */
const silent = new Set(["prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"]);

/**
 * Refuses what this format has no words for.
 * @throws GatewayError `capability_unavailable`
 */
export function refuseNeeds(request: ChatRequest): void {
  if (request.needs.has("n")) unavailable("n", "it answers with one choice only");
  if (request.needs.has("logprobs")) unavailable("logprobs", "it gives no log probabilities");
  if (request.needs.has("audio_out")) unavailable("modalities", "it answers in text only");
  if (request.extra["web_search_options"] !== undefined) {
    unavailable("web_search_options", "it has no search of this form");
  }
}

/** Returns the output limit: the client's, at most the model's, or the model's own maximum. */
export function encodeMaxTokens(
  wanted: number | undefined,
  target: CodecTarget,
  profile: ModelProfile,
  dropped: Set<string>,
): number {
  const most = target.maxOutputTokens ?? profile.maxOutputTokens;
  if (wanted === undefined) return most;
  if (wanted > most) dropped.add("max_tokens");
  return Math.min(wanted, most);
}

/**
 * Encodes sampling as far as the model takes it.
 * @see docs/spec/wire-formats.md 1.4
 */
export function encodeSampling(
  request: ChatRequest,
  profile: ModelProfile,
  isThinking: boolean,
  dropped: Set<string>,
): JsonObject {
  const { temperature, topP, topK } = request;
  if (profile.sampling === "none" || isThinking) {
    // The default itself is no loss.
    if (temperature !== undefined && temperature !== 1) dropped.add("temperature");
    if (topP !== undefined && topP !== 1) dropped.add("top_p");
    if (topK !== undefined) dropped.add("top_k");
    return {};
  }
  if (temperature !== undefined && temperature > 1) dropped.add("temperature");
  const isTopPRefused = topP !== undefined && temperature !== undefined && profile.sampling === "one";
  if (isTopPRefused && topP !== 1) dropped.add("top_p");
  const isTopKUsable = topK !== undefined && topK > 0;
  if (topK !== undefined && !isTopKUsable) dropped.add("top_k");
  return {
    ...(temperature !== undefined && { temperature: Math.min(temperature, 1) }),
    ...(topP !== undefined && !isTopPRefused && { top_p: topP }),
    ...(isTopKUsable && { top_k: topK }),
  };
}

export function encodeStop(stop: readonly string[], dropped: Set<string>): JsonObject {
  const usable = stop.filter((text) => text.trim() !== "");
  if (usable.length < stop.length) dropped.add("stop");
  return usable.length === 0 ? {} : { stop_sequences: usable };
}

/** Encodes the end user as an opaque id: what looks like an address is hashed. */
export function encodeMetadata(endUser: string | undefined): JsonObject {
  if (endUser === undefined || endUser === "") return {};
  const isOpaque = !endUser.includes("@") && endUser.length <= 256;
  const userId = isOpaque ? endUser : createHash("sha256").update(endUser).digest("hex");
  return { metadata: { user_id: userId } };
}

const tiers: Readonly<Record<string, string>> = {
  auto: "auto",
  default: "standard_only",
  priority: "auto",
  fast: "auto",
};

export function encodeServiceTier(tier: string | undefined, dropped: Set<string>): JsonObject {
  if (tier === undefined) return {};
  if (Object.hasOwn(tiers, tier)) return { service_tier: tiers[tier] };
  dropped.add("service_tier");
  return {};
}

/** Reports every other parameter of the client, since none of them has a place here. */
export function reportExtra(extra: JsonObject, dropped: Set<string>): void {
  for (const [name, value] of Object.entries(extra)) {
    const isPenalty = name === "presence_penalty" || name === "frequency_penalty";
    const isNothing = value === false || (isPenalty && value === 0) || (name === "top_logprobs" && value === 0);
    const isText = name === "modalities" && Array.isArray(value) && value.every((one) => one === "text");
    if (!silent.has(name) && !isNothing && !isText) dropped.add(name);
  }
}
