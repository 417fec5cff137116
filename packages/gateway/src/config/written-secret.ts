import { secretPaths } from "@fairlead/contract/config-schema";
import type { ConfigPath } from "./config-error.ts";
import { interpolate } from "./interpolate.ts";

/** Stands for a secret wherever a config is shown. A config that holds it was shown before and is not whole. */
export const secretPlaceholder = "[secret]";

const patterns = secretPaths.map((path) => path.split("."));
const secretHeader = /auth|key|token|secret|cookie|passw|credential|session/i;
const secretValue = /^(?:sk-|sk_|gsk_|xai-|AIza|pplx-|Bearer |Basic )/;

function fits(pattern: readonly string[], path: ConfigPath): boolean {
  return path.length >= pattern.length && pattern.every((part, i) => part === "*" || part === String(path[i]));
}

/** Whether all that stands at this path, or below it, is one secret or the reference to one. */
export function isWithinSecret(path: ConfigPath): boolean {
  return patterns.some((pattern) => fits(pattern, path));
}

const isHeader = (path: ConfigPath): boolean => path.length === 4 && fits(["upstreams", "*", "headers"], path);
const isWebhookUrl = (path: ConfigPath): boolean => path.length === 3 && path[0] === "webhooks" && path[2] === "url";

function isSecretPlace(path: ConfigPath, text: string): boolean {
  if (patterns.some((pattern) => pattern.length === path.length && fits(pattern, path))) return true;
  return isHeader(path) && (secretHeader.test(String(path[3])) || secretValue.test(text));
}

/** Whether a URL has a password, or a name alone that then is the secret. A database's name for its user is none. */
function hasUserSecret(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, searchParams } = new URL(text);
  if (password !== "" || (searchParams.get("password") ?? "") !== "") return true;
  // `https://me:${PASSWORD}@…` is left without a password here.
  return /^https?:$/.test(protocol) && username !== "" && !/\/\/[^/@]*:[^/@]*@/.test(text);
}

/** Whether a secret itself stands here: where one belongs, no variable is meant or one has a default; a URL has a password. */
export function isWrittenOut(path: ConfigPath, text: string): boolean {
  if (text.includes(secretPlaceholder)) return true;
  const { text: left, names, defaults } = interpolate(text, {});
  const isDatabase = path.length === 2 && path[0] === "storage" && path[1] === "url";
  if (!isDatabase && isSecretPlace(path, text)) return names.length === 0 || defaults.length > 0;
  return hasUserSecret(left);
}

/** The text as it may be shown. Of a receiver's address only the origin: its path is often the whole right to send. */
export function shownText(path: ConfigPath, text: string): string {
  if (isWrittenOut(path, text)) return secretPlaceholder;
  if (!isWebhookUrl(path)) return text;
  const { text: left, names, defaults } = interpolate(text, {});
  if ((names.length > 0 && defaults.length === 0) || !URL.canParse(left)) return text;
  const { origin, pathname, search } = new URL(left);
  return pathname === "/" && search === "" ? text : `${origin}/${secretPlaceholder}`;
}
