import type { TranslationPolicy } from "../codecs/codec.ts";
import { protocols } from "../codecs/registry.ts";
import type { Deployment } from "../core/deployment.ts";
import { prepare } from "./prepare.ts";
import type { ClientRequest } from "./prepared.ts";

/** Whether a target would not get some of the request's parameters as they were sent, or cannot be asked at all. */
export function dropsAny(request: ClientRequest, target: Deployment, policy: TranslationPolicy): boolean {
  try {
    const identity = { id: "dry-run", createdAt: 0 };
    return prepare(request, target, protocols[target.upstream.protocol], policy, identity, []).dropped.length > 0;
  } catch {
    return true;
  }
}
