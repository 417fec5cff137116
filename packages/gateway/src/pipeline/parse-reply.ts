import { GatewayError } from "../core/errors.ts";

/** @throws GatewayError `bad_upstream_response` */
export function parseReply(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("bad_upstream_response", "The upstream's answer is not JSON.", { cause });
  }
}
