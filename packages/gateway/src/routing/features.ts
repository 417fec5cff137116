import type { ChatRequest, ContentPart } from "../core/chat.ts";
import type { Features } from "../core/decision.ts";

/** An absent output limit counts as this much (requirement B4). */
const absentMaxTokens = 512;

/** Characters an image, a document page or a clip is counted as, so that media never look free. */
const imageCharacters = 3_000;

function partCharacters(part: ContentPart): number {
  switch (part.type) {
    case "text":
    case "refusal":
      return part.text.length;
    case "image":
      return imageCharacters;
    // A base64 character carries 6 bits; a document's text is about a third of its bytes.
    case "file":
      return Math.ceil(part.data.length / 4);
    case "audio":
      return Math.ceil(part.data.length / 16);
    case "file-id":
      return imageCharacters;
  }
}

/**
 * Computes what thresholds and window checks need. Linear in the request, synchronous, every request.
 * `promptTokens` is characters / 4 on purpose: people can predict it (requirement B5).
 */
export function extractFeatures(request: ChatRequest): Features {
  let characters = 0;
  for (const message of request.messages) {
    for (const part of message.content) characters += partCharacters(part);
    if (message.role === "assistant") {
      for (const call of message.toolCalls) characters += call.name.length + call.arguments.length;
    }
  }
  let toolCharacters = 0;
  if (request.tools.length > 0) toolCharacters = JSON.stringify(request.tools).length;
  const promptTokens = Math.ceil(characters / 4);
  return {
    promptTokens,
    // Tools and turn markers are in the window too; thresholds speak of the messages alone.
    windowTokens: Math.ceil((characters + toolCharacters) / 4) + request.messages.length * 4,
    maxTokens: request.maxTokens ?? absentMaxTokens,
    requestedMaxTokens: request.maxTokens,
    inputTokens: Math.ceil((characters + toolCharacters) / 4),
    task: "chat",
    language: "und",
    modalities: ["text"],
    turns: 1,
    hasTools: request.tools.length > 0,
    wantsJson: false,
    complexity: 0,
    complexityRules: 0,
    signals: [],
    prefixHash: 0,
    conversationHash: 0,
  };
}
