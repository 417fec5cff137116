import { type FairleadConfig, secretPaths } from "@fairlead/contract/config-schema";
import { isObject } from "../lib/json.ts";
import { formatPath } from "./config-error.ts";

export interface ConfigChange {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly before: unknown;
  readonly after: unknown;
}

const patterns = secretPaths.map((path) => path.split("."));

function isSecret(path: readonly (string | number)[]): boolean {
  return patterns.some(
    (pattern) => path.length >= pattern.length && pattern.every((part, i) => part === "*" || part === String(path[i])),
  );
}

function walk(before: unknown, after: unknown, path: readonly (string | number)[], found: ConfigChange[]): void {
  if (Object.is(before, after)) return;
  if (isObject(before) && isObject(after) && !isSecret(path)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      walk(before[key], after[key], [...path, key], found);
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
function redacted(value: unknown, path: readonly (string | number)[]): unknown {
  if (isSecret(path)) return value === null ? null : "[secret]";
  if (Array.isArray(value)) return value.map((item, i) => redacted(item, [...path, i]));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, redacted(inner, [...path, key])]));
}

/** How two valid configs differ, place by place. Lists count as one place. */
export function diffConfigs(before: FairleadConfig, after: FairleadConfig): ConfigChange[] {
  const found: ConfigChange[] = [];
  walk(before, after, [], found);
  return found;
}
