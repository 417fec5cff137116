import { classifyFailure } from "../codecs/classify-failure.ts";
import { hiddenTexts } from "../codecs/hidden-texts.ts";
import type { Deployment } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";
import type { Watchdog } from "./watchdog.ts";

/** Largest whole answer that is taken into memory. */
const maxReplyBytes = 64 * 1024 * 1024;
/** An error's text beyond this is not looked at. */
const maxErrorBytes = 64 * 1024;

/**
 * Reads a whole body, keeping the watchdog informed.
 * @throws GatewayError `bad_upstream_response` when it is larger than `limit`
 */
export async function readText(response: Response, watchdog: Watchdog, limit = maxReplyBytes): Promise<string> {
  const length = Number(response.headers.get("content-length") ?? "");
  // A body that announces a modest size arrives in one or two reads: nothing to count.
  if (length > 0 && length <= 1024 * 1024 && response.headers.get("content-encoding") === null) {
    watchdog.listening();
    const text = await response.text();
    watchdog.heard();
    return text;
  }
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    watchdog.listening();
    const { done, value } = await reader.read();
    watchdog.heard();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > limit) {
      await reader.cancel();
      throw new GatewayError("bad_upstream_response", `The upstream's answer is larger than ${limit} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Reads and classifies an upstream's error answer. Never throws: an unreadable body is classified by its status. */
export async function readFailure(response: Response, target: Deployment, watchdog: Watchdog): Promise<GatewayError> {
  const body = await readText(response, watchdog, maxErrorBytes).catch(() => "");
  return classifyFailure({
    status: response.status,
    headers: response.headers,
    body,
    provider: target.upstream.provider,
    hide: hiddenTexts(target.upstream),
  });
}
