import { GatewayError } from "../core/errors.ts";
import { hideLiterals, writtenForms } from "./hide-literals.ts";

/**
 * Returns the error without the given texts, for example an upstream's key and host, in anything a client may see; the
 * same error where it holds none. For errors made where an upstream's secrets are not known, such as those in a stream.
 */
export function hideIn(error: GatewayError, hide: readonly string[]): GatewayError {
  const { param, capability } = error.detail;
  const message = hideCutTail(hideLiterals(error.message, hide), hide);
  const cleanParam = param === undefined ? undefined : hideLiterals(param, hide);
  const cleanCapability = capability === undefined ? undefined : hideLiterals(capability, hide);
  if (message === error.message && cleanParam === param && cleanCapability === capability) return error;
  return new GatewayError(error.code, message, {
    ...error.detail,
    ...(cleanParam !== undefined && { param: cleanParam }),
    ...(cleanCapability !== undefined && { capability: cleanCapability }),
  });
}

/** A shortened message may end with the first part of a hidden text, which as a whole would have been found. */
function hideCutTail(message: string, hide: readonly string[]): string {
  if (!message.endsWith("…")) return message;
  const body = message.slice(0, -1).toLowerCase();
  for (const form of writtenForms(hide)) {
    const lower = form.toLowerCase();
    for (let length = Math.min(lower.length - 1, body.length); length >= 4; length--) {
      if (body.endsWith(lower.slice(0, length))) return `${message.slice(0, body.length - length)}[redacted]…`;
    }
  }
  return message;
}
