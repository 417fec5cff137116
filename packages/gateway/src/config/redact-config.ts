import { secretPaths } from "@fairlead/contract/config-schema";
import { type Document, isMap, isScalar, isSeq, parseDocument, type Scalar } from "yaml";
import { interpolate } from "./interpolate.ts";

const placeholder = "[secret]";
const patterns = secretPaths.map((path) => path.split("."));

function scalarsAt(node: unknown, path: readonly string[], at: readonly string[]): { at: string; scalar: Scalar }[] {
  const [head, ...rest] = path;
  if (head === undefined) return isScalar(node) ? [{ at: at.join("."), scalar: node }] : [];
  if (isSeq(node) && head === "*") return node.items.flatMap((item, i) => scalarsAt(item, rest, [...at, String(i)]));
  if (!isMap(node)) return [];
  return node.items.flatMap(({ key, value }) => {
    const name = String(isScalar(key) ? key.value : key);
    return head === "*" || head === name ? scalarsAt(value, rest, [...at, name]) : [];
  });
}

/** Whether a secret stands in the file: no variable is meant, or one has a default. A database's URL does when it has a password. */
function isWrittenOut(at: string, text: string): boolean {
  const { text: left, names, defaults } = interpolate(text, {});
  if (at !== "storage.url") return names.length === 0 || defaults.length > 0;
  if (!URL.canParse(left)) return false;
  const { password, searchParams } = new URL(left);
  return password !== "" || (searchParams.get("password") ?? "") !== "";
}

function literals(document: Document): { at: string; scalar: Scalar }[] {
  return patterns
    .flatMap((path) => scalarsAt(document.contents, path, []))
    .filter(({ at, scalar }) => typeof scalar.value === "string" && isWrittenOut(at, scalar.value));
}

/** Paths of the secrets a config has written out. Text that is no YAML has none that could be found. */
export function literalSecrets(text: string): string[] {
  return literals(parseDocument(text)).map(({ at }) => at);
}

/** The same text with a placeholder for each secret that is written out; comments and order stay. */
export function redactConfig(text: string): string {
  const document = parseDocument(text);
  const found = literals(document);
  if (document.errors.length > 0) return "# This text is no YAML.\n";
  if (found.length === 0) return text;
  for (const { scalar } of found) scalar.value = placeholder;
  return document.toString();
}
