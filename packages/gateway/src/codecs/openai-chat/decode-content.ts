import type { Capability } from "@fairlead/contract/names";
import type { CacheHint, ContentPart } from "../../core/chat.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { oneOf, optionalString, refuse, requiredObject, requiredString } from "./check.ts";

export type PartType = "text" | "image_url" | "input_audio" | "file" | "refusal";

/**
 * Decodes `content`: a string, a list of parts, or nothing. One part per entry, in the client's order, so that an index
 * here is the client's index.
 * @throws GatewayError `invalid_request`
 */
export function decodeContent(
  content: unknown,
  path: string,
  allowed: readonly PartType[],
  needs: Set<Capability>,
): ContentPart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (content === undefined || content === null) return [];
  if (!Array.isArray(content)) refuse(path, "a string or an array of content parts", content);
  return content.map((part, i) => decodePart(part, `${path}[${i}]`, allowed, needs));
}

function decodePart(value: unknown, path: string, allowed: readonly PartType[], needs: Set<Capability>): ContentPart {
  const part = requiredObject(value, path, "a content part object");
  const type = oneOf(part["type"], `${path}.type`, allowed);
  switch (type) {
    case "text":
      if (typeof part["text"] !== "string") refuse(`${path}.text`, "a string", part["text"]);
      return { type: "text", text: part["text"], ...decodeCacheHint(part) };
    case "refusal":
      if (typeof part["refusal"] !== "string") refuse(`${path}.refusal`, "a string", part["refusal"]);
      return { type: "refusal", text: part["refusal"] };
    case "image_url":
      needs.add("vision");
      return decodeImage(part, path);
    case "input_audio":
      needs.add("audio_in");
      return decodeAudio(part, path);
    case "file":
      return decodeFile(part, path, needs);
  }
}

function decodeImage(part: JsonObject, path: string): ContentPart {
  const value = part["image_url"];
  // Several clients put the address there without the object around it.
  const image = typeof value === "string" ? { url: value } : requiredObject(value, `${path}.image_url`);
  const urlPath = `${path}.image_url.url`;
  const expected = "an http:, https: or data:image/…;base64, URL";
  const url = requiredString(image["url"], urlPath, expected);
  const valid = /^data:/i.test(url) ? /^data:image\/[\w.+-]+(?:;[\w=.+-]+)*;base64,[^\s]/i.test(url) : isWebUrl(url);
  if (!valid) refuse(urlPath, expected, url);
  const detail = optionalString(image["detail"], `${path}.image_url.detail`);
  return { type: "image", url, ...(detail !== undefined && { detail }), ...decodeCacheHint(part) };
}

function isWebUrl(url: string): boolean {
  return /^https?:\/\//i.test(url) && url.length <= 8192 && URL.canParse(url);
}

function decodeAudio(part: JsonObject, path: string): ContentPart {
  const audio = requiredObject(part["input_audio"], `${path}.input_audio`);
  return {
    type: "audio",
    data: requiredString(audio["data"], `${path}.input_audio.data`, "base64 audio"),
    format: requiredString(audio["format"], `${path}.input_audio.format`, "an audio format such as 'wav' or 'mp3'"),
  };
}

function decodeFile(part: JsonObject, path: string, needs: Set<Capability>): ContentPart {
  const file = requiredObject(part["file"], `${path}.file`);
  const filename = optionalString(file["filename"], `${path}.file.filename`);
  const fileId = optionalString(file["file_id"], `${path}.file.file_id`);
  if (fileId !== undefined && (file["file_data"] === undefined || file["file_data"] === null)) {
    return { type: "file-id", fileId };
  }
  const expected = "base64 data or a data:…;base64, URL";
  const fileData = requiredString(file["file_data"], `${path}.file.file_data`, expected);
  const header = /^data:([^;,]*)(?:;[^;,]*)*?(;base64)?,/i.exec(fileData.slice(0, 512));
  if (header !== null ? header[2] === undefined : /^data:/i.test(fileData)) {
    refuse(`${path}.file.file_data`, expected, fileData);
  }
  const data = header === null ? fileData : fileData.slice(header[0].length);
  const mediaType = header?.[1]?.toLowerCase() || guessMediaType(data, filename);
  if (mediaType === "application/pdf") needs.add("pdf");
  return { type: "file", data, mediaType, ...(filename !== undefined && { filename }), ...decodeCacheHint(part) };
}

const mediaTypes: Readonly<Record<string, string>> = {
  pdf: "application/pdf",
  txt: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
};

function guessMediaType(data: string, filename: string | undefined): string {
  if (data.startsWith("JVBERi0")) return "application/pdf";
  const extension = filename?.split(".").pop()?.toLowerCase() ?? "";
  return mediaTypes[extension] ?? "application/octet-stream";
}

/**
 * Reads a cache hint beside a part, a message or a tool: OpenAI's breakpoint or the widespread `cache_control`.
 * @see docs/spec/wire-formats.md 1.4
 */
export function decodeCacheHint(holder: JsonObject): { readonly cache?: CacheHint } {
  const breakpoint = holder["prompt_cache_breakpoint"];
  if (isObject(breakpoint)) return { cache: breakpoint["ttl"] === undefined ? {} : { ttl: "1h" } };
  const control = holder["cache_control"];
  if (!isObject(control) || control["type"] !== "ephemeral") return {};
  return { cache: control["ttl"] === "1h" ? { ttl: "1h" } : {} };
}
