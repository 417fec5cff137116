import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

const maxBytes = 2_097_152;
/** Far more than a body of this size needs; who is slower only holds connections open. */
const longestMs = 30_000;

async function readCounted(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks).toString("utf8");
    size += value.byteLength;
    if (size > maxBytes) throw new GatewayError("request_too_large", `The body is larger than ${maxBytes} bytes.`);
    chunks.push(value);
  }
}

/** Settles within the limit of time, whatever the client does. */
async function readText(body: ReadableStream<Uint8Array>, clock: Clock): Promise<string> {
  const reader = body.getReader();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(longestMs, () => {
    reject(new GatewayError("request_timeout", `The request body did not arrive within ${longestMs} ms.`));
  });
  try {
    return await Promise.race([readCounted(reader), late]);
  } catch (thrown) {
    reader.cancel().catch(() => {});
    if (thrown instanceof GatewayError) throw thrown;
    const gone = "The client closed the connection before its request was complete.";
    throw new GatewayError("client_gone", gone, { cause: thrown });
  } finally {
    cancel();
  }
}

/**
 * Reads a JSON body within limits of size and time.
 * @throws GatewayError `request_too_large`, `request_timeout`, `invalid_request` for another media type, `invalid_json`
 */
export async function readJson(request: Request, clock: Clock): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  // Forms of other sites can send text and forms without asking first, but never this type.
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new GatewayError("invalid_request", "Send the body as `content-type: application/json`.", { status: 415 });
  }
  const text = request.body === null ? "" : await readText(request.body, clock);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new GatewayError("invalid_json", "The body is not valid JSON.");
  }
}
