import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
}

/**
 * Reads a request's body as text within limits of size and time. `TextDecoder` semantics: invalid UTF-8 becomes U+FFFD.
 * @throws GatewayError `request_too_large` or `request_timeout`
 */
export async function readBody(
  request: Request,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
  clock: Clock,
): Promise<string> {
  const announced = Number(request.headers.get("content-length") ?? "");
  if (announced > maxBodyBytes) throw tooLarge(maxBodyBytes);
  if (request.body === null) return "";
  // A body that announced its size cannot grow beyond it: the runtime enforces the length.
  const body = announced > 0 ? request.text() : readCounted(request.body, maxBodyBytes);
  return new Promise((resolve, reject) => {
    const cancel = clock.after(bodyTimeoutMs, () => {
      reject(new GatewayError("request_timeout", `The request body did not arrive within ${bodyTimeoutMs} ms.`));
    });
    body.then(
      (text) => {
        cancel();
        resolve(text);
      },
      (thrown) => {
        cancel();
        reject(thrown instanceof GatewayError ? thrown : new GatewayError("client_gone", gone, { cause: thrown }));
      },
    );
  });
}

const gone = "The client closed the connection before its request was complete.";

async function readCounted(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    text += decoder.decode(value, { stream: true });
  }
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    "request_too_large",
    `The request body is larger than ${maxBytes} bytes (\`server.maxBodyBytes\`).`,
  );
}
