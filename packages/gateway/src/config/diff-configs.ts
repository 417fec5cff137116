import { parseDocument } from "yaml";
import { isObject } from "../lib/json.ts";
import { type ConfigPath, formatPath } from "./config-error.ts";
import { isWithinSecret, secretPlaceholder, shownText } from "./written-secret.ts";

export interface ConfigChange {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly before: unknown;
  readonly after: unknown;
}

const maxAliases = 100;

function walk(before: unknown, after: unknown, path: ConfigPath, found: ConfigChange[]): void {
  if (Object.is(before, after)) return;
  // A section that only one of them has is compared part by part, so that each part is a place of its own.
  const [from, to] = path.length < 2 ? [before ?? {}, after ?? {}] : [before, after];
  if (isObject(from) && isObject(to) && !isWithinSecret(path)) {
    for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
      walk(from[key], to[key], [...path, key], found);
    }
    return;
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return;
  const change = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  found.push({
    path: formatPath(path),
    change,
    before: redacted(before ?? null, path),
    after: redacted(after ?? null, path),
  });
}

/** Shows that there is a secret, never its text: even a reference may have a default. */
function redacted(value: unknown, path: ConfigPath): unknown {
  if (isWithinSecret(path)) return value === null ? null : secretPlaceholder;
  if (typeof value === "string") return shownText(path, value);
  if (Array.isArray(value)) return value.map((item, i) => redacted(item, [...path, i]));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redacted(inner, [...path, key])]));
}

/** How two parsed configs differ, place by place. Lists count as one place. */
export function diffValues(before: unknown, after: unknown): ConfigChange[] {
  const found: ConfigChange[] = [];
  walk(before, after, [], found);
  return found;
}

/**
 * How the texts of two valid configs differ, place by place. Lists count as one place. Texts are compared as they are
 * written: what a variable holds is neither shown nor told by a comparison.
 */
export function diffConfigs(before: string, after: string): ConfigChange[] {
  const read = (text: string): unknown => parseDocument(text).toJS({ maxAliasCount: maxAliases }) ?? {};
  return diffValues(read(before), read(after));
}
