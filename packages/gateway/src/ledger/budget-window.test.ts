import { describe, expect, test } from "bun:test";
import type { BudgetWindowName } from "@fairlead/contract/names";
import fc from "fast-check";
import { countWindow } from "./budget-window.ts";

const hour = 3_600_000;

/** The window's ends in ISO form, and its length in hours. */
function windowAt(unit: BudgetWindowName, timeZone: string, now: string): [string, string, number] {
  const window = countWindow({ kind: "calendar", unit, timeZone }, Date.parse(now));
  if (window.kind !== "fixed") throw new Error("a calendar's window is fixed");
  const { startMs, endMs } = window;
  const iso = (ms: number) => new Date(ms).toISOString().replace(":00.000Z", "Z");
  return [iso(startMs), iso(endMs), (endMs - startMs) / hour];
}

describe("countWindow", () => {
  test("is a day, a week from Monday, a month or an hour of UTC", () => {
    const now = "2026-11-21T02:37:48.123Z";
    expect(windowAt("hour", "UTC", now)).toEqual(["2026-11-21T02:00Z", "2026-11-21T03:00Z", 1]);
    expect(windowAt("day", "UTC", now)).toEqual(["2026-11-21T00:00Z", "2026-11-22T00:00Z", 24]);
    expect(windowAt("week", "UTC", now)).toEqual(["2026-11-16T00:00Z", "2026-11-23T00:00Z", 168]);
    expect(windowAt("month", "UTC", now)).toEqual(["2026-11-01T00:00Z", "2026-12-01T00:00Z", 720]);
    expect(windowAt("month", "UTC", "2026-12-31T23:59:59.999Z")[1]).toBe("2027-01-01T00:00Z");
    expect(windowAt("week", "UTC", "2026-11-16T00:00:00Z")[0]).toBe("2026-11-16T00:00Z");
    expect(windowAt("week", "UTC", "2026-11-15T23:59:59Z")[0]).toBe("2026-11-09T00:00Z");
  });

  test("has 23 and 25 hours on the days on which Berlin's clocks change", () => {
    expect(windowAt("day", "Europe/Berlin", "2026-03-29T12:00Z")).toEqual([
      "2026-03-28T23:00Z",
      "2026-03-29T22:00Z",
      23,
    ]);
    expect(windowAt("day", "Europe/Berlin", "2026-10-25T12:00Z")).toEqual([
      "2026-10-24T22:00Z",
      "2026-10-25T23:00Z",
      25,
    ]);
    expect(windowAt("week", "Europe/Berlin", "2026-03-29T21:59:59Z")[2]).toBe(167);
    expect(windowAt("month", "Europe/Berlin", "2026-10-31T22:59:59Z")).toEqual([
      "2026-09-30T22:00Z",
      "2026-10-31T23:00Z",
      745,
    ]);
  });

  test("follows the southern hemisphere, where summer begins in October", () => {
    expect(windowAt("day", "Australia/Sydney", "2026-10-04T01:00Z")).toEqual([
      "2026-10-03T14:00Z",
      "2026-10-04T13:00Z",
      23,
    ]);
    expect(windowAt("day", "Australia/Sydney", "2026-04-05T01:00Z")[2]).toBe(25);
  });

  test("begins where the clocks say midnight, also half and quarter hours away from UTC", () => {
    expect(windowAt("day", "Asia/Kolkata", "2026-11-21T18:29:59Z")[1]).toBe("2026-11-21T18:30Z");
    expect(windowAt("hour", "Asia/Kolkata", "2026-11-21T18:29:59Z")).toEqual([
      "2026-11-21T17:30Z",
      "2026-11-21T18:30Z",
      1,
    ]);
    expect(windowAt("day", "Asia/Kathmandu", "2026-11-21T12:00Z")[0]).toBe("2026-11-20T18:15Z");
  });

  test("begins at one o'clock where midnight is left out", () => {
    // Santiago's clocks go from 24:00 to 01:00 on the first Sunday of September.
    expect(windowAt("day", "America/Santiago", "2026-09-06T12:00Z")).toEqual([
      "2026-09-06T04:00Z",
      "2026-09-07T03:00Z",
      23,
    ]);
    expect(windowAt("day", "America/Santiago", "2026-09-06T03:59:59Z")).toEqual([
      "2026-09-05T04:00Z",
      "2026-09-06T04:00Z",
      24,
    ]);
  });

  test("begins once where midnight comes twice, and skips a date that never was", () => {
    // Havana's clocks go from 01:00 back to 00:00.
    expect(windowAt("day", "America/Havana", "2026-11-01T05:30Z")).toEqual([
      "2026-11-01T04:00Z",
      "2026-11-02T05:00Z",
      25,
    ]);
    // Samoa had no 30 December 2011.
    expect(windowAt("day", "Pacific/Apia", "2011-12-30T09:59:59Z")).toEqual([
      "2011-12-29T10:00Z",
      "2011-12-30T10:00Z",
      24,
    ]);
    expect(windowAt("day", "Pacific/Apia", "2011-12-30T10:00Z")).toEqual([
      "2011-12-30T10:00Z",
      "2011-12-31T10:00Z",
      24,
    ]);
  });

  test("tells apart the hour that comes twice, and cuts hours where clocks move by half of one", () => {
    expect(windowAt("hour", "Europe/Berlin", "2026-10-25T00:30Z")).toEqual([
      "2026-10-25T00:00Z",
      "2026-10-25T01:00Z",
      1,
    ]);
    expect(windowAt("hour", "Europe/Berlin", "2026-10-25T01:30Z")).toEqual([
      "2026-10-25T01:00Z",
      "2026-10-25T02:00Z",
      1,
    ]);
    // Lord Howe Island: from 02:00 to 02:30 in October.
    expect(windowAt("hour", "Australia/Lord_Howe", "2026-10-03T15:45Z")).toEqual([
      "2026-10-03T15:30Z",
      "2026-10-03T16:00Z",
      0.5,
    ]);
  });

  test("of a rolling budget slides", () => {
    expect(countWindow({ kind: "rolling", lengthMs: 7 * hour }, 0)).toEqual({ kind: "sliding", lengthMs: 7 * hour });
  });

  test("is the same object until it is over, and right again after the clock was set back", () => {
    const day = { kind: "calendar", unit: "day", timeZone: "Europe/Paris" } as const;
    const now = Date.parse("2026-11-21T12:00Z");
    const first = countWindow(day, now);
    expect(countWindow({ ...day }, now + hour)).toBe(first);
    expect(countWindow(day, now + 24 * hour)).not.toEqual(first);
    expect(countWindow(day, now)).toEqual(first);
  });

  test("follows the one before without gap or overlap, everywhere and for years", () => {
    const zones = fc.constantFrom(
      ...["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Santiago", "America/Havana"],
      ...["Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Africa/Cairo", "Pacific/Apia", "Asia/Tehran"],
      ...["Pacific/Chatham", "America/Sao_Paulo", "Asia/Beirut", "Antarctica/Troll"],
    );
    const units = fc.constantFrom<BudgetWindowName>("hour", "day", "week", "month");
    const times = fc.integer({ min: Date.parse("2005-01-01"), max: Date.parse("2035-01-01") });
    fc.assert(
      fc.property(zones, units, times, (timeZone, unit, now) => {
        const at = (ms: number) => {
          const window = countWindow({ kind: "calendar", unit, timeZone }, ms);
          if (window.kind !== "fixed") throw new Error("a calendar's window is fixed");
          return window;
        };
        const window = at(now);
        expect(window.startMs).toBeLessThanOrEqual(now);
        expect(window.endMs).toBeGreaterThan(now);
        const next = at(window.endMs);
        expect(next.startMs).toBe(window.endMs);
        expect(at(window.startMs - 1).endMs).toBe(window.startMs);
        expect(at(window.endMs - 1)).toEqual(window);
      }),
      { numRuns: 400 },
    );
  });
});
