import type { WarmWindow } from "../core/wake.ts";

const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** Making one costs more than all it is asked; as many as there are time zones, at most. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const digits = "numeric" as const;
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      weekday: "short",
      hour: digits,
      minute: digits,
      hourCycle: "h23",
    });
    formats.set(timeZone, format);
  }
  return format;
}

/** What a clock on the wall there shows. */
function wallTime(atMs: number, timeZone: string): { readonly weekday: number; readonly minutes: number } {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(atMs)) parts[type] = value;
  const weekday = (weekdays as readonly (string | undefined)[]).indexOf(parts.weekday?.toLowerCase());
  return { weekday, minutes: Number(parts.hour) * 60 + Number(parts.minute) };
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

/**
 * Whether a moment lies in one of the windows. They go by the clock on the wall: one that ends before it begins lasts into
 * the next day, one that ends as it begins lasts a day, and where clocks are changed it is longer or shorter by that.
 */
export function isKeptWarm(windows: readonly WarmWindow[], atMs: number): boolean {
  return windows.some(({ days, from, to, timeZone }) => {
    const { weekday, minutes } = wallTime(atMs, timeZone);
    const isOn = (day: number): boolean => days.some((name) => name === weekdays[(day + 7) % 7]);
    const [start, end] = [minutesOf(from), minutesOf(to)];
    if (start < end) return isOn(weekday) && minutes >= start && minutes < end;
    return (isOn(weekday) && minutes >= start) || (isOn(weekday - 1) && minutes < end);
  });
}
