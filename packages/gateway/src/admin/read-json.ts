import { GatewayError } from "../core/errors.ts";

const maxBytes = 2_097_152;

/**
 * Reads a bounded JSON body.
 * @throws GatewayError `request_too_large`, `invalid_request` for another media type, `invalid_json`
 */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  // Forms of other sites can send text and forms without asking first, but never this type.
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new GatewayError("invalid_request", "Send the body as `content-type: application/json`.", { status: 415 });
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new GatewayError("request_too_large", `The body is larger than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as unknown;
  } catch {
    throw new GatewayError("invalid_json", "The body is not valid JSON.");
  }
}
