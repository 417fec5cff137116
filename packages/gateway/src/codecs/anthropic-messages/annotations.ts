import { isObject, type JsonObject } from "../../lib/json.ts";

/** Renders citations with an address as annotations on the joined text; others have no place there. */
export function encodeAnnotations(citations: readonly unknown[], start: number, end: number): JsonObject[] {
  const annotations: JsonObject[] = [];
  for (const citation of citations) {
    if (!isObject(citation) || typeof citation["url"] !== "string") continue;
    const title = typeof citation["title"] === "string" ? citation["title"] : "";
    const url_citation = { url: citation["url"], title, start_index: start, end_index: end };
    annotations.push({ type: "url_citation", url_citation });
  }
  return annotations;
}
