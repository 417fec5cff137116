const PATTERN = /\[\[sim:([a-z-]+)(?:=([\s\S]*?))?\]\]/g;

/** What the prompt tells the simulator to do, in `[[sim:name=value]]` form. */
export interface Directives {
  readonly text: string | null;
  readonly tokens: number | null;
  readonly tools: readonly string[];
  readonly parallelCalls: number;
  readonly args: string | null;
  readonly reasoningTokens: number | null;
  readonly refusal: boolean;
  readonly image: boolean;
  readonly paceMs: number | null;
  readonly firstTokenMs: number | null;
}

/** Largest answer a directive may ask for, in tokens. */
export const MAX_DIRECTED_TOKENS = 200_000;

/** Reads every directive; the last one of a name wins, `tool` adds up. */
export function parseDirectives(text: string): Directives {
  const found = new Map<string, string>();
  const tools: string[] = [];
  for (const [, name = "", value = ""] of text.matchAll(PATTERN)) {
    found.set(name, value);
    if (name === "tool") tools.push(value.trim());
  }
  const whole = (name: string, fallback: number): number | null => {
    const value = found.get(name);
    if (value === undefined) return null;
    const parsed = Number.parseInt(value, 10);
    return Number.isNaN(parsed) ? fallback : Math.min(Math.max(parsed, 0), MAX_DIRECTED_TOKENS);
  };
  return {
    text: found.get("text") ?? null,
    tokens: whole("tokens", 20),
    tools,
    parallelCalls: whole("tools", 2) ?? 0,
    args: found.get("args") ?? null,
    reasoningTokens: whole("reasoning", 12),
    refusal: found.has("refusal"),
    image: found.has("image"),
    paceMs: whole("pace", 10),
    firstTokenMs: whole("ttft", 50),
  };
}

/** Removes the directives, so that answers never repeat them. */
export function stripDirectives(text: string): string {
  return text.replace(PATTERN, "").replace(/\s+/g, " ").trim();
}
