export interface Column {
  readonly title: string;
  /** Figures stand to the right. */
  readonly align?: "left" | "right";
}

const gap = "  ";

/** Lays rows out in aligned columns for a terminal; a last row of totals is set apart by a line. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  totals?: readonly string[],
): string {
  const all = [columns.map(({ title }) => title), ...rows, ...(totals === undefined ? [] : [totals])];
  const widths = columns.map((_, i) => Math.max(...all.map((row) => Bun.stringWidth(row[i] ?? ""))));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, i) => {
        const cell = row[i] ?? "";
        const padding = " ".repeat((widths[i] ?? 0) - Bun.stringWidth(cell));
        return align === "right" ? padding + cell : cell + padding;
      })
      .join(gap)
      .trimEnd();
  const rule = widths.map((width) => "─".repeat(width)).join(gap);
  return [...all.slice(0, rows.length + 1).map(line), ...(totals === undefined ? [] : [rule, line(totals)])].join("\n");
}

/** Whole numbers with separators. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** A count with its word: `1 request`, `2,000 requests`. */
export function manyText(count: number, word: string): string {
  return `${countText(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** US dollars: cents for sums, more digits for what is less than a dollar. */
export function dollarText(dollars: number): string {
  if (dollars === 0) return "$0.00";
  const sign = dollars < 0 ? "-" : "";
  const amount = Math.abs(dollars);
  const digits = amount >= 1 ? 2 : amount >= 0.0001 ? 4 : 9;
  return `${sign}$${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

/** A time for people, to the minute, in UTC. */
export function timeText(iso: string | null): string {
  return iso === null ? "-" : `${new Date(iso).toISOString().slice(0, 16).replace("T", " ")}Z`;
}

export function listText(values: readonly string[], none: string): string {
  return values.length === 0 ? none : values.join(", ");
}
