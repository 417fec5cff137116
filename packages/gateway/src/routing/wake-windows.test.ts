import { expect, test } from "bun:test";
import type { WarmWindow } from "../core/wake.ts";
import { isKeptWarm } from "./wake-windows.ts";

const every = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const window = (from: string, to: string, more: Partial<WarmWindow> = {}): WarmWindow => ({
  days: [...every],
  from,
  to,
  timeZone: "UTC",
  ...more,
});
/** Whether each moment lies in the window. */
const within = (one: WarmWindow, moments: readonly string[]): boolean[] =>
  moments.map((moment) => isKeptWarm([one], Date.parse(moment)));

test("a window begins with its first minute and ends before its last", () => {
  const moments = ["2026-11-20T07:59:59Z", "2026-11-20T08:00:00Z", "2026-11-20T17:59:59Z", "2026-11-20T18:00:00Z"];
  expect(within(window("08:00", "18:00"), moments)).toEqual([false, true, true, false]);
  expect(within(window("00:00", "24:00"), moments)).toEqual([true, true, true, true]);
  expect(isKeptWarm([], 0)).toBe(false);
});

test("one over midnight belongs to the day on which it begins", () => {
  // The 20th of November 2026 is a Friday.
  const night = window("22:00", "06:00", { days: ["fri"] });
  const moments = [
    "2026-11-20T05:00:00Z",
    "2026-11-20T21:59:00Z",
    "2026-11-20T22:00:00Z",
    "2026-11-21T05:59:00Z",
    "2026-11-21T06:00:00Z",
    "2026-11-21T22:00:00Z",
  ];
  expect(within(night, moments)).toEqual([false, false, true, true, false, false]);
  // Sunday's goes on into Monday.
  const sunday = window("23:00", "01:00", { days: ["sun"] });
  expect(within(sunday, ["2026-11-22T23:30:00Z", "2026-11-23T00:30:00Z", "2026-11-22T00:30:00Z"])).toEqual([
    true,
    true,
    false,
  ]);
});

test("one that ends as it begins lasts a day", () => {
  const day = window("09:00", "09:00", { days: ["fri"] });
  const moments = ["2026-11-20T08:59:00Z", "2026-11-20T09:00:00Z", "2026-11-21T08:59:00Z", "2026-11-21T09:00:00Z"];
  expect(within(day, moments)).toEqual([false, true, true, false]);
});

test("it goes by the clock on the wall, also on the days on which that is changed", () => {
  const berlin = window("08:00", "18:00", { timeZone: "Europe/Berlin", days: ["fri"] });
  // Winter is one hour ahead of UTC, summer two.
  expect(within(berlin, ["2026-01-16T06:59:00Z", "2026-01-16T07:00:00Z"])).toEqual([false, true]);
  expect(within(berlin, ["2026-07-17T05:59:00Z", "2026-07-17T06:00:00Z"])).toEqual([false, true]);
  // 02:00 to 03:00 does not exist on the 29th of March 2026, and comes twice on the 25th of October.
  const early = window("02:30", "03:30", { timeZone: "Europe/Berlin" });
  expect(within(early, ["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"])).toEqual([
    false,
    true,
    false,
  ]);
  const twice = ["2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"];
  expect(within(early, twice)).toEqual([true, false, true, false]);
});

test("a weekday is that of the zone, not that of UTC", () => {
  const tokyo = window("06:00", "09:00", { timeZone: "Asia/Tokyo", days: ["sat"] });
  expect(within(tokyo, ["2026-11-20T21:30:00Z", "2026-11-21T21:30:00Z"])).toEqual([true, false]);
});
