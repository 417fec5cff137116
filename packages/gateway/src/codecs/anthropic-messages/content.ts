import type { ContentPart } from "../../core/chat.ts";
import { encodeCacheHint } from "./cache-hints.ts";
import { encodeImageSource } from "./images.ts";
import { unavailable } from "./unavailable.ts";

/** A content block under construction. */
export type Block = Record<string, unknown>;

/**
 * Encodes parts as blocks. Empty texts are left out, since the API refuses them; `dropped` learns of everything else
 * that is left out or changed.
 * @throws GatewayError `capability_unavailable`
 * @see docs/spec/wire-formats.md 1.3
 */
export function encodeParts(parts: readonly ContentPart[], path: string, dropped: Set<string>): Block[] {
  const blocks: Block[] = [];
  parts.forEach((part, i) => {
    const block = encodePart(part, `${path}.content[${i}]`, dropped);
    if (block !== undefined) blocks.push(block);
  });
  return blocks;
}

function encodePart(part: ContentPart, path: string, dropped: Set<string>): Block | undefined {
  switch (part.type) {
    case "text":
    case "refusal":
      if (part.text.trim() === "") {
        if (part.text !== "") dropped.add(path);
        return undefined;
      }
      return { type: "text", text: part.text, ...encodeCacheHint(part.type === "text" ? part.cache : undefined) };
    case "image":
      if (part.detail !== undefined && part.detail !== "auto") dropped.add(`${path}.image_url.detail`);
      return {
        type: "image",
        source: encodeImageSource(part.url, `${path}.image_url.url`),
        ...encodeCacheHint(part.cache),
      };
    case "file":
      return {
        type: "document",
        ...(part.filename !== undefined && part.filename !== "" && { title: part.filename }),
        source: encodeFileSource(part.data, part.mediaType, path),
        ...encodeCacheHint(part.cache),
      };
    case "file-id":
      return unavailable(`${path}.file.file_id`, "file ids of another provider mean nothing here; send file_data");
    case "audio":
      return unavailable(path, "the model takes no audio");
  }
}

const textTypes = new Set(["text/plain", "text/markdown", "text/csv"]);

function encodeFileSource(data: string, mediaType: string, path: string): Block {
  if (mediaType === "application/pdf") return { type: "base64", media_type: mediaType, data };
  if (!textTypes.has(mediaType)) {
    unavailable(`${path}.file.file_data`, "files have to be PDF, plain text, Markdown or CSV");
  }
  return { type: "text", media_type: "text/plain", data: Buffer.from(data, "base64").toString("utf8") };
}
