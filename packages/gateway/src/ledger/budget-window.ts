import type { BudgetWindow } from "../core/budget.ts";
import type { CountWindow } from "./counter-store.ts";

type FixedWindow = Extract<CountWindow, { kind: "fixed" }>;
type Unit = Extract<BudgetWindow, { kind: "calendar" }>["unit"];

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** The window that ran when it was last asked for, by unit and zone: as many as there are time zones, at most. */
const current = new Map<string, FixedWindow>();

/**
 * The window of a budget at one time. A calendar's window begins with the first moment of its hour, day, Monday or month
 * in the zone, whatever the clocks do there: days of 23 and 25 hours, and midnights that never come. Windows follow each
 * other without gap or overlap. Cheap: computed again only when one is over.
 */
export function countWindow(window: BudgetWindow, nowMs: number): CountWindow {
  if (window.kind === "rolling") return { kind: "sliding", lengthMs: window.lengthMs };
  const { unit, timeZone } = window;
  const id = `${unit} ${timeZone}`;
  const known = current.get(id);
  // The wall clock may be set back, so the beginning is looked at too.
  if (known !== undefined && nowMs >= known.startMs && nowMs < known.endMs) return known;
  const fresh = unit === "hour" ? hourAround(nowMs, timeZone) : datesAround(nowMs, unit, timeZone);
  current.set(id, fresh);
  return fresh;
}

/** Hours are told apart where the clock repeats them, and cut where it changes within one. */
function hourAround(nowMs: number, timeZone: string): FixedWindow {
  const offset = offsetAt(nowMs, timeZone);
  const startMs = Math.floor((nowMs + offset) / hourMs) * hourMs - offset;
  const endMs = startMs + hourMs;
  const isCutBefore = offsetAt(startMs, timeZone) !== offset;
  const isCutAfter = offsetAt(endMs - 1, timeZone) !== offset;
  return {
    kind: "fixed",
    startMs: isCutBefore ? changeBetween(startMs, nowMs, timeZone) : startMs,
    endMs: isCutAfter ? changeBetween(nowMs, endMs - 1, timeZone) : endMs,
  };
}

function datesAround(nowMs: number, unit: Exclude<Unit, "hour">, timeZone: string): FixedWindow {
  let date = dateOfUnit(nowMs + offsetAt(nowMs, timeZone), unit);
  let startMs = firstMoment(date, timeZone);
  // Where clocks are set back across midnight, a moment may still show the date that was over already.
  while (startMs > nowMs) {
    date = dateOfUnit(date - dayMs, unit);
    startMs = firstMoment(date, timeZone);
  }
  for (;;) {
    date = nextDate(date, unit);
    const endMs = firstMoment(date, timeZone);
    if (endMs > nowMs) return { kind: "fixed", startMs, endMs };
    startMs = endMs;
  }
}

/** Local dates are told as the time at which UTC shows them. */
function dateOfUnit(local: number, unit: Exclude<Unit, "hour">): number {
  const midnight = Math.floor(local / dayMs) * dayMs;
  const date = new Date(midnight);
  if (unit === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  return unit === "week" ? midnight - ((date.getUTCDay() + 6) % 7) * dayMs : midnight;
}

function nextDate(local: number, unit: Exclude<Unit, "hour">): number {
  if (unit !== "month") return local + (unit === "week" ? 7 : 1) * dayMs;
  const date = new Date(local);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

/** The first moment at which the zone's clocks show this midnight, or a later time where they leave midnight out. */
function firstMoment(local: number, timeZone: string): number {
  const before = offsetAt(local - dayMs, timeZone);
  const after = offsetAt(local + dayMs, timeZone);
  for (const offset of [Math.max(before, after), Math.min(before, after)]) {
    if (offsetAt(local - offset, timeZone) === offset) return local - offset;
  }
  return changeBetween(local - dayMs, local + dayMs, timeZone);
}

/** The first moment of the offset that holds at the end. There is one change in between. */
function changeBetween(fromMs: number, untilMs: number, timeZone: string): number {
  const offset = offsetAt(untilMs, timeZone);
  let before = fromMs;
  let after = untilMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle, timeZone) === offset) after = middle;
    else before = middle;
  }
  return after;
}

/** Making one costs more than all it is asked. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const digits = "numeric" as const;
    const date = { year: digits, month: digits, day: digits } as const;
    const time = { hour: digits, minute: digits, second: digits, hourCycle: "h23" } as const;
    format = new Intl.DateTimeFormat("en-US", { timeZone, ...date, ...time });
    formats.set(timeZone, format);
  }
  return format;
}

/** How far the zone's clocks are ahead of UTC, in milliseconds. */
function offsetAt(ms: number, timeZone: string): number {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
}
