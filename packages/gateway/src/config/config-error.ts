/** Keys and list positions from the root of the config to a value. */
export type ConfigPath = readonly (string | number)[];

/** What is wrong at one place, before it is known where that place stands in a file. */
export interface Fault {
  readonly at: ConfigPath;
  /** What is the matter, for example `is missing` or `"foo" is not valid`. Never holds a secret. */
  readonly what: string;
  /** The offending value as it may be printed; absent where there is none. */
  readonly value?: string;
  /** What would be right. */
  readonly expected: string;
  /** A known name that looks like the wrong one. */
  readonly suggestion?: string | undefined;
  /** The key is wrong, not its value: a position points at the key. */
  readonly aboutKey?: boolean;
  /** Characters into the text at this place where the mistake begins. */
  readonly offset?: number | undefined;
}

/** One thing to correct in a config. */
export interface ConfigProblem extends Omit<Fault, "at" | "aboutKey" | "offset"> {
  /** For example `upstreams.vllm.baseUrl`; empty for the whole file. */
  readonly path: string;
  /** From 1; absent when the config did not come from a file. */
  readonly line?: number;
  readonly column?: number;
}

/** Writes a path the way people read it: `upstreams.vllm.models[0].id`. */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, segment) => {
    if (typeof segment === "number") return `${text}[${segment}]`;
    if (/[^A-Za-z0-9_$-]/.test(segment)) return `${text}[${JSON.stringify(segment)}]`;
    return text === "" ? segment : `${text}.${segment}`;
  }, "");
}

/** What is wrong and what would be right, without the place. */
export function formatProblemText({ what, expected, suggestion }: ConfigProblem): string {
  const hint = suggestion === undefined ? "" : `; did you mean \`${suggestion}\`?`;
  return `${what}: expected ${expected}${hint}`;
}

function formatProblem(file: string | undefined, problem: ConfigProblem): string {
  const position = problem.line === undefined ? "" : `:${problem.line}:${problem.column ?? 1}`;
  const where = [file === undefined ? "" : `${file}${position}`, problem.path].filter((part) => part !== "").join(" ");
  return `${where === "" ? "config" : where}: ${formatProblemText(problem)}`;
}

/** A config that cannot be used. Holds every problem that was found, once each, in the order of the file, and no secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly file: string | undefined;
  readonly problems: readonly ConfigProblem[];

  constructor(file: string | undefined, problems: readonly ConfigProblem[]) {
    const byText = new Map(problems.map((problem) => [formatProblem(file, problem), problem]));
    const ordered = [...byText].sort(
      ([, a], [, b]) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
    super(ordered.map(([text]) => text).join("\n"));
    this.file = file;
    this.problems = ordered.map(([, problem]) => problem);
  }
}
