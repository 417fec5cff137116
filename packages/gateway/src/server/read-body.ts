import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { BodyHold } from "./body-memory.ts";

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
}

/** Announced bodies up to this size are read in one piece, which is faster; larger ones are watched while they come. */
const onePieceBytes = 262_144;
/** Beyond `bodyTimeoutMs` a body may take one more second for each so many bytes of it that came. */
const slowestBytesPerSecond = 32_768;

/**
 * Reads a request's body as text within limits of size, time and the memory for all bodies. `TextDecoder` semantics:
 * invalid UTF-8 becomes U+FFFD. What it took of `hold` is the caller's to release, also after an error.
 * @throws GatewayError `request_too_large`, `request_timeout` or `overcapacity`
 */
export async function readBody(request: Request, limits: BodyLimits, clock: Clock, hold: BodyHold): Promise<string> {
  const { maxBodyBytes, bodyTimeoutMs } = limits;
  const announced = Number(request.headers.get("content-length") ?? "");
  if (announced > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const inOnePiece = announced > 0 && announced <= onePieceBytes;
  // What cannot fit is refused before a byte of it is read. A large one holds only what came of it: a client that
  // announces much and sends little takes nobody's room.
  if (inOnePiece || !hold.fits(announced || 0)) hold.take(announced);
  // Before `body` is asked for: the runtime makes a stream with a buffer of its own of it, which lasts as long as the request.
  if (inOnePiece) return readWhole(request, bodyTimeoutMs, clock);
  if (request.body === null) return "";
  return readCounted(request.body.getReader(), limits, clock, hold);
}

const gone = "The client closed the connection before its request was complete.";

function asError(thrown: unknown): GatewayError {
  return thrown instanceof GatewayError ? thrown : new GatewayError("client_gone", gone, { cause: thrown });
}

/** A body that announced its size cannot grow beyond it: the runtime enforces the length. */
function readWhole(request: Request, bodyTimeoutMs: number, clock: Clock): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const cancel = clock.after(bodyTimeoutMs, () => reject(tooSlow(bodyTimeoutMs)));
  request.text().then(
    (text) => {
      cancel();
      resolve(text);
    },
    (thrown) => {
      cancel();
      reject(asError(thrown));
    },
  );
  return promise;
}

async function readCounted(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { maxBodyBytes, bodyTimeoutMs }: BodyLimits,
  clock: Clock,
  hold: BodyHold,
): Promise<string> {
  const beganMs = clock.monotonicMs();
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  let cancelTimer = (): void => {};
  let isLate = false;
  const checkPace = (): void => {
    const leftMs = bodyTimeoutMs + (bytes / slowestBytesPerSecond) * 1_000 - (clock.monotonicMs() - beganMs);
    if (leftMs > 0) {
      cancelTimer = clock.after(leftMs, checkPace);
      return;
    }
    isLate = true;
    // Ends the read that waits.
    reader.cancel().catch(() => {});
  };
  checkPace();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (isLate) throw tooSlow(bodyTimeoutMs);
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
      hold.take(value.byteLength);
      text += decoder.decode(value, { stream: true });
    }
  } catch (thrown) {
    reader.cancel().catch(() => {});
    throw asError(thrown);
  } finally {
    cancelTimer();
  }
}

function tooSlow(bodyTimeoutMs: number): GatewayError {
  return new GatewayError(
    "request_timeout",
    `The request body did not arrive within ${bodyTimeoutMs} ms (\`server.bodyTimeoutMs\`), or too slowly after that.`,
  );
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError(
    "request_too_large",
    `The request body is larger than ${maxBytes} bytes (\`server.maxBodyBytes\`).`,
  );
}
