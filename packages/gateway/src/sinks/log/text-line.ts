/** Formats one JSON log line for a person at a terminal; anything it does not know passes as it is. */
export function textLine(line: string, colour: boolean): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const time = new Date(Number(entry["time"])).toISOString().slice(11, 23);
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  if (entry["event"] === "route_decision") return `${paint(2, time)} ${decisionText(entry, paint)}\n`;
  const level = Number(entry["level"]);
  const word = level >= 50 ? paint(31, "error") : level >= 40 ? paint(33, "warn") : "info";
  const { level: _l, time: _t, pid: _p, hostname: _h, msg, event, ...rest } = entry;
  const detail = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : "";
  return `${paint(2, time)} ${word} ${String(msg ?? event ?? "")}${detail}\n`;
}

function decisionText(entry: Record<string, unknown>, paint: (code: number, text: string) => string): string {
  const failed = Number(entry["status"]) >= 400 || entry["outcome"] !== "ok";
  const outcome = entry["outcome"] === "ok" ? "" : ` ${entry["outcome"]}`;
  const status = paint(failed ? 31 : 32, `${entry["status"]}${outcome}`);
  const error = entry["error"] === undefined ? undefined : `${entry["error"]}: ${entry["message"]}`;
  // Refused before anything was decided: there is no target to name.
  if (entry["reason"] === undefined) return [`${paint(31, "refused")}`, status, paint(31, String(error))].join(" · ");
  const backend = String(entry["backend"] ?? "none");
  const where = paint(backend === "local" ? 32 : backend === "cloud" ? 36 : 31, backend.padEnd(5));
  const parts = [
    `${entry["alias"]} → ${where} ${entry["target"] ?? "-"}`,
    `${entry["reason"]}`,
    status,
    `${Math.round(Number(entry["durationMs"]))} ms`,
    `${entry["inputTokens"]}+${entry["outputTokens"]} tokens`,
  ];
  if (entry["fallback"] !== undefined) parts.push(paint(33, `fallback from ${entry["fallback"]}`));
  if (error !== undefined) parts.push(paint(31, error));
  return parts.join(" · ");
}
