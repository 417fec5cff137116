import { arrayOf, isObject, type Json, type JsonObject, textOf } from "../json.ts";
import { type OfferedTool, type Prompt, type PromptImage, PromptMeter, type ToolChoice } from "../prompt.ts";
import { blocksOf } from "./check-turns.ts";
import type { ModelProfile } from "./model-profile.ts";

/** A prompt with what Anthropic's usage needs besides. */
export interface MessagesPrompt extends Prompt {
  /** Tokens up to and including the last cache point, and a key of that prefix; null without cache points. */
  readonly cached: { readonly tokens: number; readonly key: string } | null;
}

/** Reads a checked request into a prompt; counts equal conversations as the Chat Completions side does. */
export function readMessagesPrompt(body: JsonObject, profile: ModelProfile): MessagesPrompt {
  const meter = new PromptMeter();
  let cachedTokens: number | null = null;
  const mark = (block: JsonObject) => {
    if (block["cache_control"] != null) cachedTokens = meter.tokens;
  };
  const tools: OfferedTool[] = [];
  for (const tool of arrayOf(body["tools"]).filter(isObject)) {
    const offered = readTool(tool);
    meter.tool(offered);
    tools.push(offered);
    mark(tool);
  }
  const system =
    typeof body["system"] === "string" ? [{ text: body["system"] }] : arrayOf(body["system"]).filter(isObject);
  for (const block of system) {
    meter.message();
    meter.text(textOf(block["text"]));
    mark(block);
  }
  const turns = arrayOf(body["messages"]).filter(isObject);
  for (const turn of turns) {
    const blocks = blocksOf(turn);
    if (blocks.some((block) => block["type"] !== "tool_result")) meter.message();
    for (const block of blocks) {
      countBlock(block, meter);
      mark(block);
    }
  }
  if (body["cache_control"] != null) cachedTokens = meter.tokens;
  const systemText = system.map((block) => textOf(block["text"])).join("\n");
  const userText = lastUserText(turns);
  const toolResults = trailingResults(turns);
  const config = isObject(body["output_config"]) ? body["output_config"] : {};
  const choice = isObject(body["tool_choice"]) ? body["tool_choice"] : {};
  const key = JSON.stringify([body["model"], body["tools"] ?? null, body["system"] ?? null, cachedTokens]);
  return {
    system: systemText,
    userText,
    images: imagesOf(turns),
    toolResults,
    tools,
    toolChoice: readChoice(choice),
    parallelTools: choice["disable_parallel_tool_use"] !== true,
    outputSchema:
      isObject(config["format"]) && isObject(config["format"]["schema"]) ? config["format"]["schema"] : null,
    jsonObject: false,
    maxTokens: Number(body["max_tokens"] ?? 1),
    stop: arrayOf(body["stop_sequences"]).map(textOf),
    reasoning: thinks(body, profile, userText),
    promptTokens: meter.tokens,
    begun: begunIn(turns.at(-1)),
    seed: `${systemText}\n${userText}\n${toolResults.join("\n")}`,
    cached: cachedTokens === null ? null : { tokens: cachedTokens, key },
  };
}

/** Thinks when asked to; by default only where the model does so and the prompt directs it. */
function thinks(body: JsonObject, profile: ModelProfile, userText: string): boolean {
  const thinking = body["thinking"];
  if (isObject(thinking)) return thinking["type"] !== "disabled";
  return profile.thinksByDefault && /\[\[sim:reasoning/.test(userText);
}

function readTool(tool: JsonObject): OfferedTool {
  const schema = isObject(tool["input_schema"]) ? tool["input_schema"] : { type: "object", properties: {} };
  return { name: textOf(tool["name"]), description: textOf(tool["description"]), schema };
}

function readChoice(choice: JsonObject): ToolChoice {
  switch (choice["type"]) {
    case "any":
      return { kind: "required" };
    case "none":
      return { kind: "none" };
    case "tool":
      return { kind: "named", name: textOf(choice["name"]) };
    default:
      return { kind: "auto" };
  }
}

function countBlock(block: JsonObject, meter: PromptMeter): void {
  switch (block["type"]) {
    case "text":
      meter.text(textOf(block["text"]));
      break;
    case "image":
      meter.image();
      break;
    case "tool_use":
      meter.call(textOf(block["name"]), JSON.stringify(block["input"]));
      break;
    case "tool_result":
      meter.message();
      for (const part of partsOf(block["content"])) countBlock(part, meter);
      break;
    case "document":
      meter.text(isObject(block["source"]) ? textOf(block["source"]["data"]) : "");
      break;
    default:
      break;
  }
}

function partsOf(content: Json | undefined): readonly JsonObject[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : arrayOf(content).filter(isObject);
}

function lastUserText(turns: readonly JsonObject[]): string {
  for (const turn of turns.toReversed()) {
    if (turn["role"] !== "user") continue;
    const texts = blocksOf(turn).filter((block) => block["type"] === "text");
    if (texts.length > 0) return texts.map((block) => textOf(block["text"])).join("");
  }
  return "";
}

function imagesOf(turns: readonly JsonObject[]): readonly PromptImage[] {
  const last = turns.findLast((turn) => turn["role"] === "user");
  return (last === undefined ? [] : blocksOf(last)).flatMap((block): PromptImage[] => {
    const source = block["source"];
    if (block["type"] !== "image" || !isObject(source)) return [];
    if (source["type"] === "url") return [{ mediaType: "url", url: textOf(source["url"]) }];
    return [{ mediaType: textOf(source["media_type"]), url: null }];
  });
}

/** What the answer goes on from. */
function begunIn(last: JsonObject | undefined): string {
  if (last?.["role"] !== "assistant") return "";
  return blocksOf(last)
    .map((block) => textOf(block["text"]))
    .join("");
}

function trailingResults(turns: readonly JsonObject[]): readonly string[] {
  const last = turns.at(-1);
  if (last === undefined || last["role"] !== "user") return [];
  const results = blocksOf(last).filter((block) => block["type"] === "tool_result");
  return results.map((block) =>
    partsOf(block["content"])
      .map((part) => textOf(part["text"]))
      .join(""),
  );
}
