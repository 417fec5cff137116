import type { ChatRequest } from "../../core/chat.ts";
import type { JsonObject } from "../../lib/json.ts";
import type { CodecTarget, EncodedRequest, TranslationPolicy } from "../codec.ts";
import { limitCacheHints } from "./cache-hints.ts";
import { layOutTurns } from "./closing-turn.ts";
import type { Block } from "./content.ts";
import { encodeMessages } from "./messages.ts";
import { modelProfile } from "./model-profile.ts";
import {
  encodeMaxTokens,
  encodeMetadata,
  encodeSampling,
  encodeServiceTier,
  encodeStop,
  refuseNeeds,
  reportExtra,
} from "./params.ts";
import { encodeResponseFormat } from "./response-format.ts";
import { encodeThinking } from "./thinking.ts";
import { encodeTools } from "./tools.ts";

/** The version whose rules the bodies built here follow. A client's own version header never goes with them. */
const apiVersion = "2023-06-01";

/** Models that take a prefill go on from it, but not while they think or are held to a format. */
export function continuesAnswer({ reasoningEffort, responseFormat }: ChatRequest, { model }: CodecTarget): boolean {
  const isPlain = responseFormat === undefined || responseFormat.type === "text";
  return isPlain && (reasoningEffort ?? "none") === "none" && modelProfile(model).prefill;
}

/**
 * Encodes a request for Anthropic's Messages API, always as a stream.
 * @throws GatewayError `capability_unavailable`
 * @see docs/spec/wire-formats.md 1
 */
export function encodeRequest(request: ChatRequest, target: CodecTarget, policy: TranslationPolicy): EncodedRequest {
  refuseNeeds(request);
  const profile = modelProfile(target.model);
  const dropped = new Set<string>();
  reportExtra(request.extra, dropped);
  const maxTokens = encodeMaxTokens(request.maxTokens, target, profile, dropped);
  const history = encodeMessages(request, profile, policy, dropped);
  const { isBudgeted, isOn, ...thought } = encodeThinking(
    request.reasoningEffort,
    profile,
    maxTokens,
    history.turns,
    dropped,
  );
  const tools = encodeTools(request, profile, isBudgeted, dropped);
  const canForce = profile.forcedTool === "always" || (profile.forcedTool === "not-thinking" && !isBudgeted);
  const asked = encodeResponseFormat(request, profile, tools, canForce, dropped);
  const isStructured = asked.format !== undefined || asked.tool !== undefined;
  const messages = layOutTurns(history.turns, profile.prefill && !isOn && !isStructured, policy, dropped);

  const system: Block[] = [...history.system];
  if (asked.instruction !== undefined) system.push({ type: "text", text: asked.instruction });
  const allTools = asked.tool === undefined ? tools.tools : [...tools.tools, asked.tool];
  const toolChoice = asked.choice ?? tools.choice;
  if (limitCacheHints([...allTools, ...system, ...messages.flatMap((message) => message.content)])) {
    dropped.add("cache_control");
  }
  const outputConfig: JsonObject = {
    ...(thought.effort !== undefined && { effort: thought.effort }),
    ...(asked.format !== undefined && { format: asked.format }),
  };
  const body: JsonObject = {
    model: target.model,
    max_tokens: maxTokens,
    ...(system.length > 0 && { system }),
    messages,
    ...(allTools.length > 0 && { tools: allTools }),
    ...(toolChoice !== undefined && allTools.length > 0 && { tool_choice: toolChoice }),
    ...(thought.thinking !== undefined && { thinking: thought.thinking }),
    ...(Object.keys(outputConfig).length > 0 && { output_config: outputConfig }),
    ...encodeSampling(request, profile, isOn, dropped),
    ...encodeStop(request.stop, dropped),
    ...encodeMetadata(request.endUser),
    ...encodeServiceTier(request.serviceTier, dropped),
    stream: true,
  };
  return {
    path: "/messages",
    body,
    headers: { "anthropic-version": apiVersion },
    dropped: [...dropped],
    state: {
      ...(asked.jsonTool !== undefined && { jsonTool: asked.jsonTool }),
      toolNames: tools.toolNames,
      customTools: tools.customTools,
    },
  };
}
