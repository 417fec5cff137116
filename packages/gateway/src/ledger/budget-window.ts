import type { BudgetWindow } from "../core/budget.ts";
import type { CountWindow } from "./counter-store.ts";

export function countWindow(window: BudgetWindow, atMs: number): CountWindow {
  if (window.kind === "rolling") return { kind: "sliding", lengthMs: window.lengthMs };
  const day = 86_400_000;
  const startMs = Math.floor(atMs / day) * day;
  return { kind: "fixed", startMs, endMs: startMs + day };
}
