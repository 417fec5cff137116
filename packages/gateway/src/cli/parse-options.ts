import { CommandError } from "./command-error.ts";

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

/** Reads `90s`, `15m`, `24h`, `30d` or `2w`. @throws CommandError */
export function durationSeconds(text: string, option: string): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const seconds = Number(count) * (secondsOf[unit] ?? 0);
  if (count !== "" && seconds > 0) return seconds;
  throw new CommandError(`${option} is ${JSON.stringify(text)}: expected a time such as 24h, 30d or 2w.`);
}

/** Reads a time to come: a duration from now, a day, or an ISO time. @throws CommandError */
export function futureTime(text: string, option: string, nowMs: number): string {
  if (/^\d+[smhdw]$/.test(text)) return new Date(nowMs + durationSeconds(text, option) * 1000).toISOString();
  const ms = /^\d{4}-\d{2}-\d{2}(?:T|$)/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new CommandError(`${option} is ${JSON.stringify(text)}: expected 30d, a day or an ISO time.`);
  if (ms <= nowMs) throw new CommandError(`${option} is ${text}, which is over.`);
  return new Date(ms).toISOString();
}

/** Reads `name=value` pairs. @throws CommandError */
export function pairs(texts: readonly string[], option: string): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf("=");
      if (equals > 0 && equals < text.length - 1) return [text.slice(0, equals), text.slice(equals + 1)];
      throw new CommandError(`${option} is ${JSON.stringify(text)}: expected name=value.`);
    }),
  );
}

/** Reads a number above 0. @throws CommandError */
export function positive(text: string, option: string, whole = false): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && (!whole || Number.isInteger(value))) return value;
  throw new CommandError(`${option} is ${JSON.stringify(text)}: expected a ${whole ? "whole " : ""}number above 0.`);
}

const windows = ["hour", "day", "week", "month"] as const;
export type WindowOption = (typeof windows)[number] | { readonly rolling_hours: number };

/** Reads `hour`, `day`, `week`, `month`, or a rolling time such as `36h`. @throws CommandError */
export function windowOption(text: string, option: string): WindowOption {
  const calendar = windows.find((name) => name === text);
  if (calendar !== undefined) return calendar;
  if (/^\d+[hdw]$/.test(text)) return { rolling_hours: durationSeconds(text, option) / 3_600 };
  throw new CommandError(
    `${option} is ${JSON.stringify(text)}: expected ${windows.join(", ")} or a rolling time such as 36h.`,
  );
}

/** Reads `50/day`: dollars and the window they are for, a day unless given. @throws CommandError */
export function budgetOption(
  text: string,
  option: string,
): { readonly limitUsd: number; readonly window: WindowOption } {
  const [amount = "", window = "day"] = text.split("/");
  return { limitUsd: positive(amount.replace(/^\$/, ""), option), window: windowOption(window, option) };
}
