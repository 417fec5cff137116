import type { Protocol, TranslationPolicy } from "../codecs/codec.ts";
import { nativeFormats } from "../codecs/registry.ts";
import type { Deployment } from "../core/deployment.ts";
import type { Repair } from "../core/errors.ts";
import { prepareNative } from "./prepare-native.ts";
import { prepareTranslated } from "./prepare-translated.ts";
import type { ClientRequest, Prepared, ReplyIdentity } from "./prepared.ts";

/**
 * Builds the request for one target: natively where client and upstream speak the same format, else by translation.
 * @throws GatewayError `capability_unavailable` or `invalid_request` when this target cannot be asked that
 */
export function prepare(
  request: ClientRequest,
  target: Deployment,
  protocol: Protocol,
  policy: TranslationPolicy,
  identity: ReplyIdentity,
  repairs: readonly Repair[],
): Prepared {
  const native = nativeFormats[target.upstream.protocol];
  if (native !== undefined && request.dialect.name === target.upstream.protocol) {
    return prepareNative(request, target, protocol, native, repairs);
  }
  return prepareTranslated(request, target, protocol, policy, identity, repairs);
}
