import { secretPaths } from "@fairlead/contract/config-schema";
import { type Document, isMap, isScalar, isSeq, parseDocument, type Scalar } from "yaml";

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

/** Secrets that a config has written out; a text with a `${NAME}` reference is none. A database's URL counts when it has a password. */
function literals(document: Document): { at: string; scalar: Scalar }[] {
  return patterns
    .flatMap((path) => scalarsAt(document.contents, path, []))
    .filter(({ at, scalar }) => {
      if (typeof scalar.value !== "string" || scalar.value.includes("${")) return false;
      if (at !== "storage.url") return true;
      return URL.canParse(scalar.value) && new URL(scalar.value).password !== "";
    });
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
