import { dayMs, hourMs } from "./usage-sums.ts";

/** A part of a time range and where it is read from: sums of a span, or the rows themselves. */
export interface UsageSegment {
  readonly source: "rows" | "hour" | "day";
  readonly fromMs: number;
  readonly toMs: number;
}

/** Divides a range so that as much as possible comes from the longest sums that `finest` allows; exact to the millisecond. */
export function usageSegments(fromMs: number, toMs: number, finest: UsageSegment["source"]): UsageSegment[] {
  if (finest === "rows") return fromMs < toMs ? [{ source: "rows", fromMs, toMs }] : [];
  const span = finest === "day" ? dayMs : hourMs;
  const start = Math.ceil(fromMs / span) * span;
  const end = Math.floor(toMs / span) * span;
  const shorter = finest === "day" ? "hour" : "rows";
  if (start >= end) return usageSegments(fromMs, toMs, shorter);
  return [
    ...usageSegments(fromMs, start, shorter),
    { source: finest, fromMs: start, toMs: end },
    ...usageSegments(end, toMs, shorter),
  ];
}
