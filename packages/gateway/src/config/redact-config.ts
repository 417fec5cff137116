import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument, type Scalar } from "yaml";
import { type ConfigPath, formatPath } from "./config-error.ts";
import { isWrittenOut, shownText } from "./written-secret.ts";

interface Place {
  readonly at: ConfigPath;
  readonly scalar: Scalar<string>;
}

const maxAliases = 100;
/** Far more than the schema has levels; ends what refers to itself. */
const maxDepth = 32;

function placesOf(document: Document, found: unknown, at: ConfigPath): Place[] {
  if (at.length > maxDepth) return [];
  const node = isAlias(found) ? found.resolve(document) : found;
  if (isScalar(node)) return typeof node.value === "string" ? [{ at, scalar: node as Scalar<string> }] : [];
  if (isSeq(node)) return node.items.flatMap((item, i) => placesOf(document, item, [...at, i]));
  if (!isMap(node)) return [];
  return node.items.flatMap(({ key, value }) =>
    placesOf(document, value, [...at, String(isScalar(key) ? key.value : key)]),
  );
}

/** Every text of a document and where it stands, aliases followed; undefined for what is no YAML or no config. */
function textsOf(text: string): { readonly document: Document; readonly places: Place[] } | undefined {
  try {
    const document = parseDocument(text);
    if (document.errors.length > 0) return undefined;
    // Throws for aliases that would grow without end.
    document.toJS({ maxAliasCount: maxAliases });
    return { document, places: placesOf(document, document.contents, []) };
  } catch {
    return undefined;
  }
}

/** Paths of the secrets a config has written out. Text that is no YAML has none that could be found. */
export function literalSecrets(text: string): string[] {
  const places = textsOf(text)?.places ?? [];
  return places.filter(({ at, scalar }) => isWrittenOut(at, scalar.value)).map(({ at }) => formatPath(at));
}

/** The same text with a placeholder for each secret that is written out; comments and order stay. */
export function redactConfig(text: string): string {
  const texts = textsOf(text);
  if (texts === undefined) return "# This text is no YAML.\n";
  const hidden = texts.places
    .map(({ at, scalar }) => ({ scalar, shown: shownText(at, scalar.value) }))
    .filter(({ scalar, shown }) => shown !== scalar.value);
  if (hidden.length === 0) return text;
  for (const { scalar, shown } of hidden) scalar.value = shown;
  return texts.document.toString();
}
