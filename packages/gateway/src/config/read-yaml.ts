import { secretPaths } from "@fairlead/contract/config-schema";
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
} from "yaml";
import { ConfigError, type ConfigPath, type ConfigProblem, type Fault } from "./config-error.ts";
import type { ConfigSource } from "./config-source.ts";
import { type Env, interpolate, isTemplate } from "./interpolate.ts";
import { retypeScalar } from "./retype-scalar.ts";
import { admitsText, isMapping } from "./schema-at.ts";

/** A parsed config file. Text at secret paths is as written; all other `${ENV}` references are replaced. */
export interface ParsedYaml {
  readonly value: unknown;
  readonly source: ConfigSource;
  readonly warnings: readonly string[];
  /** References that could not be resolved; their values are still the text as written. */
  readonly faults: readonly Fault[];
}

const maxBytes = 1_048_576;
/** Aliases beyond this many expansions are an attack or an accident. */
const maxAliases = 100;

const secretPatterns = secretPaths.map((path) => path.split("."));

/** Tells whether the config schema keeps a secret at this path. */
export function isSecretPath(path: ConfigPath): boolean {
  return secretPatterns.some(
    (pattern) =>
      pattern.length === path.length && pattern.every((segment, i) => segment === "*" || segment === path[i]),
  );
}

function follow(document: Document.Parsed, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

/** Finds the node at a path, or the nearest one above it, and the key it stands under. */
function findNode(document: Document.Parsed, path: ConfigPath): { node: unknown; key: unknown; found: boolean } {
  let node: unknown = follow(document, document.contents);
  let key: unknown;
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment));
      if (pair === undefined) return { node, key, found: false };
      key = pair.key;
      node = follow(document, pair.value) ?? pair.key;
    } else if (isSeq(node) && typeof segment === "number" && node.items[segment] !== undefined) {
      node = follow(document, node.items[segment]);
    } else return { node, key, found: false };
  }
  return { node, key, found: true };
}

class YamlSource implements ConfigSource {
  readonly file: string;
  readonly templates = new WeakMap<Node, string>();
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  constructor(file: string, document: Document.Parsed, lines: LineCounter) {
    this.file = file;
    this.#document = document;
    this.#lines = lines;
  }

  at(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  locate(path: ConfigPath, what: "value" | "key" = "value", offset = 0): { line: number; column: number } | undefined {
    const { node, key, found } = findNode(this.#document, path);
    const chosen = (what === "key" || !found) && key !== undefined ? key : node;
    const range = (chosen as Node | undefined)?.range;
    return range ? this.at(range[0] + this.#inner(chosen, offset)) : { line: 1, column: 1 };
  }

  /** How far from the beginning of a node a character of its text stands; 0 where escapes or folded lines hide it. */
  #inner(node: unknown, offset: number): number {
    if (offset === 0 || !isScalar(node) || !node.range || this.templates.has(node)) return 0;
    const quotes = node.type === "QUOTE_SINGLE" || node.type === "QUOTE_DOUBLE" ? 1 : 0;
    const spelled = node.range[1] - node.range[0] - 2 * quotes;
    return String(node.value).length === spelled ? quotes + offset : 0;
  }

  template(path: ConfigPath): string | undefined {
    const { node, found } = findNode(this.#document, path);
    return found && isScalar(node) ? this.templates.get(node) : undefined;
  }
}

function replaceScalar(node: Scalar, path: ConfigPath, env: Env, source: YamlSource, faults: Fault[]): void {
  if (typeof node.value !== "string" || !isTemplate(node.value)) return;
  const template = node.value;
  const { text, missing, malformed } = interpolate(template, env);
  if (malformed) {
    faults.push({
      at: path,
      what: "holds a `${` that is no reference",
      expected: "`${NAME}` or `${NAME:-default}`; write `$${` for a literal `${`",
    });
  }
  for (const name of missing) {
    faults.push({
      at: path,
      what: `the environment variable ${name} is not set`,
      expected: `it to be set, or a default as in \`\${${name}:-default}\``,
    });
  }
  if (isSecretPath(path) || malformed || missing.length > 0) return;
  source.templates.set(node, template);
  // Quotes do not count: inside `{ … }` YAML demands them around a reference.
  node.value = admitsText(path) ? text : retypeScalar(text);
}

/** Walks values, never keys: a variable can neither add nor rename anything. Aliased nodes are met at their anchor. */
function walk(node: unknown, path: ConfigPath, visit: (node: Scalar, path: ConfigPath) => void): void {
  if (isScalar(node)) visit(node, path);
  else if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) walk(item, [...path, index], visit);
  } else if (isMap(node)) {
    for (const item of node.items)
      walk(item.value, [...path, String(isScalar(item.key) ? item.key.value : "?")], visit);
  }
}

/** Drops `server:` with nothing under it, as left behind when its lines are commented out. */
function withoutEmptyMappings(value: unknown, path: ConfigPath): unknown {
  if (path.length > 2 || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const kept = Object.entries(value).filter(([key, child]) => child !== null || !isMapping([...path, key]));
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutEmptyMappings(child, [...path, key])]));
}

interface SyntaxFault {
  readonly code: string;
  readonly message: string;
  readonly pos: readonly [number, number];
}

/** Names every duplicate, but only the first of all other errors: the rest are its echoes. */
function syntaxProblems(text: string, source: YamlSource, errors: readonly SyntaxFault[]): readonly ConfigProblem[] {
  const first = errors.find((error) => error.code !== "DUPLICATE_KEY");
  return errors.flatMap((error): ConfigProblem[] => {
    const position = source.at(error.pos[0]);
    if (error === first) {
      const what = `is not valid YAML (${error.message.split("\n")[0]})`;
      return [{ path: "", what, expected: "a YAML document", ...position }];
    }
    if (error.code !== "DUPLICATE_KEY") return [];
    const key = /^[^\s:]{1,80}/.exec(text.slice(error.pos[0]))?.[0] ?? "";
    return [{ path: key, what: "is given twice", expected: "each name once", ...position }];
  });
}

/**
 * Parses a config file and fills in the environment. References are replaced in scalar values after parsing, so that no
 * value can change the document's structure.
 * @throws ConfigError with every syntax error
 */
export function readYaml(text: string, file: string, env: Env): ParsedYaml {
  const refuse = (what: string, expected: string): never => {
    throw new ConfigError(file, [{ path: "", what, expected }]);
  };
  if (Buffer.byteLength(text) > maxBytes) refuse("is too large", `at most ${maxBytes} bytes`);
  try {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
    const source = new YamlSource(file, document, lines);
    if (document.errors.length > 0) {
      throw new ConfigError(file, syntaxProblems(text, source, document.errors));
    }
    const faults: Fault[] = [];
    walk(document.contents, [], (node, path) => replaceScalar(node, path, env, source, faults));
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    const warnings = document.warnings.map((warning) => `${file}: ${warning.message.split("\n")[0]}`);
    return { value: withoutEmptyMappings(value ?? {}, []), source, warnings, faults };
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown;
    if (thrown instanceof RangeError) return refuse("is nested too deeply", "a few levels");
    if (thrown instanceof ReferenceError) return refuse("uses aliases in excess", `at most ${maxAliases} expansions`);
    return refuse("could not be read as YAML", "a YAML document");
  }
}
