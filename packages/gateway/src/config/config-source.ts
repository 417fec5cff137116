import type { ConfigPath, ConfigProblem, Fault } from "./config-error.ts";
import { formatPath } from "./config-error.ts";

/** Where the values of a config stand in its file, and how they may be printed. */
export interface ConfigSource {
  /** The file's name as messages show it; undefined when there is none. */
  readonly file: string | undefined;
  /**
   * Position of a value, of its key with `"key"`, or of the nearest thing above it that exists; of a character of a text
   * value with its offset, where the file spells the text as it is.
   */
  locate(
    path: ConfigPath,
    what?: "value" | "key",
    offset?: number,
  ): { readonly line: number; readonly column: number } | undefined;
  /** The `${ENV}` text a value came from. */
  template(path: ConfigPath): string | undefined;
}

/** The source of a config that was not read from a file. */
export const noSource: ConfigSource = { file: undefined, locate: () => undefined, template: () => undefined };

const secretSegment = /^(?:auth|headers|key|keys|api_?key|token|password|secret)$/i;
const secretValue = /^(?:sk-|sk_|gsk_|xai-|AIza|pplx-|Bearer )/;
const longest = 80;

/** Hides the password of a URL. */
function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@\s]*@/i, "$1[hidden]@");
}

/** Renders a value for a message: short, and hidden where it is, or may be, a secret. What a variable holds is not shown. */
export function showValue(source: ConfigSource, path: ConfigPath, value: unknown): string {
  if (path.some((segment) => typeof segment === "string" && secretSegment.test(segment))) return "[hidden]";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  if (typeof value === "string" && secretValue.test(value)) return "[hidden]";
  // Any variable may be asked for in a place where its value does not fit, and the message may be somebody else's to read.
  const template = source.template(path);
  if (template !== undefined) return template;
  const shown = JSON.stringify(typeof value === "string" ? withoutPassword(value) : value) ?? "nothing";
  const cut = shown.length > longest ? `${shown.slice(0, longest)}…` : shown;
  return cut;
}

/** Adds positions to faults. */
export function placeFaults(source: ConfigSource, faults: readonly Fault[]): readonly ConfigProblem[] {
  return faults.map(({ at, aboutKey, offset, ...fault }) => {
    const position = source.locate(at, aboutKey ? "key" : "value", offset);
    return { path: formatPath(at), ...fault, ...(position ?? {}) };
  });
}
