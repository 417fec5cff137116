/** Environment variables, as `process.env` has them. */
export type Env = Readonly<Record<string, string | undefined>>;

/** A text with its `${ENV}` references replaced, and what was met on the way. */
export interface Interpolated {
  readonly text: string;
  /** Variables referred to, in order. */
  readonly names: readonly string[];
  /** Of these, the ones neither set nor given a default. */
  readonly missing: readonly string[];
  /** Defaults that say anything, in order, used or not. */
  readonly defaults: readonly string[];
  /** A `${` that is no reference. */
  readonly malformed: boolean;
}

const reference = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g;

/** Tells whether a text holds anything for `interpolate` to do, escapes included. */
export function isTemplate(text: string): boolean {
  return text.includes("${");
}

/**
 * Replaces `${NAME}` and `${NAME:-default}` (used when NAME is unset or empty) by the environment's values; `$${` stands
 * for a literal `${`. Values are never interpolated again.
 */
export function interpolate(text: string, env: Env): Interpolated {
  const names: string[] = [];
  const missing: string[] = [];
  const defaults: string[] = [];
  let malformed = false;
  const replaced = text.replace(reference, (whole: string, name?: string, fallback?: string) => {
    if (whole === "$${") return "${";
    if (name === undefined) {
      malformed = true;
      return whole;
    }
    names.push(name);
    if (fallback) defaults.push(fallback);
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) missing.push(name);
    return value ?? "";
  });
  return { text: replaced, names, missing, defaults, malformed };
}
