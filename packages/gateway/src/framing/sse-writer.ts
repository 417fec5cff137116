/**
 * Frames for event streams. JSON text holds no raw line break, so one `data:` line is always enough for it.
 * @see docs/spec/wire-formats.md 0.7
 */

/** Frames a value as an unnamed event. */
export function sseData(json: unknown): string {
  return `data: ${JSON.stringify(json)}\n\n`;
}

/** Frames a value as an event with a name. */
export function sseEvent(type: string, json: unknown): string {
  return `event: ${type}\ndata: ${JSON.stringify(json)}\n\n`;
}

/** Frames the data of an event that was read, line breaks included. */
export function sseText(data: string): string {
  return data.includes("\n") ? `data: ${data.replaceAll("\n", "\ndata: ")}\n\n` : `data: ${data}\n\n`;
}

/** Ends a stream whose answer is complete. Never follows an error. */
export const sseDone = "data: [DONE]\n\n";

/** Keeps an idle connection open; readers skip it. */
export const sseKeepAlive = ": keep-alive\n\n";
