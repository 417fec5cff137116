import { type Modality, modalities } from "@fairlead/contract/routing-names";
import type { ChatRequest, ContentPart } from "../../core/chat.ts";
import { estimateTokens } from "./estimate-tokens.ts";

/** Characters an image, a document page or a clip is counted as, so that media never look free. */
const imageCharacters = 3_000;

/** Tokens that mark the turns of a conversation. */
const tokensPerMessage = 4;

/** Of one request about so many characters are read, in pieces spread evenly; more of a large one, and less of it all. */
const leastRead = 320;
const readPart = 1 / 64;
const mostRead = 3_200;
const pieceCharacters = 160;
/** Of the smallest part that is sampled. */
const leastPiece = 48;

/** Estimates run low now and then; a window that overflows costs a whole attempt. */
const windowMargin = 1.1;

/** Sizes of a request, and what kinds of content it has. */
export interface RequestSize {
  readonly promptTokens: number;
  readonly windowTokens: number;
  readonly inputTokens: number;
  readonly modalities: readonly Modality[];
  /** User messages. */
  readonly turns: number;
}

const textBit = 1;
const imageBit = 2;
const audioBit = 4;
const fileBit = 8;

/** One list for each mixture of kinds, so that none is made per request. */
const mixtures: readonly (readonly Modality[])[] = Array.from({ length: 16 }, (_, mask) =>
  modalities.filter((_, bit) => ((mask || textBit) & (1 << bit)) !== 0),
);

function mediaCharacters(part: Exclude<ContentPart, { type: "text" | "refusal" }>): number {
  switch (part.type) {
    case "image":
    case "file-id":
      return imageCharacters;
    // A base64 character carries 6 bits; a document's text is about a third of its bytes.
    case "file":
      return Math.ceil(part.data.length / 4);
    case "audio":
      return Math.ceil(part.data.length / 16);
  }
}

function bitOfPart(part: ContentPart): number {
  switch (part.type) {
    case "text":
    case "refusal":
      return textBit;
    case "image":
      return imageBit;
    case "audio":
      return audioBit;
    case "file":
    case "file-id":
      return fileBit;
  }
}

/** Estimates the tokens of one text from a share of it. */
function sampledTokens(text: string, share: number): number {
  const length = text.length;
  const wanted = Math.max(leastPiece, Math.ceil(length * share));
  if (wanted >= length) return estimateTokens(text);
  const pieces = Math.ceil(wanted / pieceCharacters);
  const size = Math.floor(wanted / pieces);
  const stride = length / pieces;
  let tokens = 0;
  for (let piece = 0; piece < pieces; piece++) {
    // In the middle of its stretch: the very beginning of a text is seldom like the rest.
    const from = Math.floor(piece * stride + (stride - size) / 2);
    tokens += estimateTokens(text, from, from + size);
  }
  return (tokens * length) / (pieces * size);
}

/** Measures all messages and the text of the tools; linear in their number, bounded in their size. */
export function measureRequest(request: ChatRequest, toolText: string): RequestSize {
  let media = 0;
  let texts = 0;
  let mask = 0;
  let turns = 0;
  for (const message of request.messages) {
    if (message.role === "user") turns++;
    for (const part of message.content) {
      mask |= bitOfPart(part);
      if (part.type === "text" || part.type === "refusal") texts += part.text.length;
      else media += mediaCharacters(part);
    }
    if (message.role === "assistant") {
      for (const call of message.toolCalls) texts += call.name.length + call.arguments.length;
    }
  }
  const readable = Math.max(1, texts + toolText.length);
  const share = Math.min(mostRead, leastRead + readable * readPart) / readable;
  let tokens = media / 4 + sampledTokens(toolText, share);
  for (const message of request.messages) {
    for (const part of message.content) {
      if (part.type === "text" || part.type === "refusal") tokens += sampledTokens(part.text, share);
    }
    if (message.role === "assistant") {
      for (const call of message.toolCalls) {
        tokens += sampledTokens(call.name, share) + sampledTokens(call.arguments, share);
      }
    }
  }
  const markers = request.messages.length * tokensPerMessage;
  const characters = texts + media;
  return {
    promptTokens: Math.ceil(characters / 4),
    // Never below characters / 4, which is how people reckon a window.
    windowTokens: Math.ceil(Math.max((characters + toolText.length) / 4, tokens * windowMargin)) + markers,
    inputTokens: Math.ceil(tokens) + markers,
    modalities: mixtures[mask] ?? [],
    turns,
  };
}
