import type { ChatRequest } from "../../core/chat.ts";
import type { Features } from "../../core/decision.ts";
import type { JsonObject } from "../../lib/json.ts";
import { findAsk } from "./ask-text.ts";
import { complexityRules } from "./complexity-rules.ts";
import type { ScoredRequest } from "./complexity-weights.ts";
import { fingerprint } from "./fingerprint.ts";
import { measureRequest } from "./measure-request.ts";
import { scoreComplexity } from "./score-complexity.ts";
import { countOf, taskKind } from "./task-kind.ts";
import { TextScan } from "./text-scan.ts";

/** An absent output limit counts as this much (requirement B4). */
const absentMaxTokens = 512;

/** One for all requests: features are computed without a pause, and nothing of a scan outlives them. */
const scan = new TextScan();

/** Schemas nested deeper than this are not written out: the runtime takes seconds to fail on some 50,000 levels. */
const deepestTool = 200;

function isDeep(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  for (const key in value) if (isDeep((value as JsonObject)[key], levels - 1)) return true;
  return false;
}

/** What the tools look like in a prompt. */
function textOfTools(tools: ChatRequest["tools"]): string {
  if (tools.length === 0) return "";
  if (!isDeep(tools, deepestTool)) return JSON.stringify(tools);
  return tools.map((tool) => (tool.type === "server" ? tool.type : tool.name)).join(" ");
}

/**
 * Computes what routing may know of a request from its words and shape. Linear, synchronous, every request: of long texts
 * only parts are read. `promptTokens` is characters / 4 on purpose: people can predict it (requirement B5).
 */
export function extractFeatures(request: ChatRequest): Features {
  const toolText = textOfTools(request.tools);
  const size = measureRequest(request, toolText);
  const hasTools = request.tools.length > 0;
  scan.scan(findAsk(request.messages));
  const scored: ScoredRequest = {
    scan,
    task: taskKind(scan),
    promptTokens: size.promptTokens,
    turns: size.turns,
    hasTools,
    hasMedia: size.modalities.some((modality) => modality !== "text"),
  };
  const { complexity, signals } = scoreComplexity(scored);
  const { prefixHash, conversationHash } = fingerprint(request.messages, toolText);
  return {
    promptTokens: size.promptTokens,
    windowTokens: size.windowTokens,
    inputTokens: size.inputTokens,
    modalities: size.modalities,
    turns: size.turns,
    maxTokens: request.maxTokens ?? absentMaxTokens,
    requestedMaxTokens: request.maxTokens,
    task: scored.task,
    language: scan.language(),
    hasTools,
    wantsJson:
      request.responseFormat?.type === "json_object" ||
      request.responseFormat?.type === "json_schema" ||
      countOf(scan, "wantsJson") > 0,
    complexity,
    complexityRules: complexityRules(scored),
    signals,
    prefixHash,
    conversationHash,
  };
}
