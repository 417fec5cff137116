import { expect, test } from "bun:test";
import { textLine } from "./text-line.ts";

const base = { level: 30, time: 0, event: "route_decision", durationMs: 12.3, inputTokens: 3, outputTokens: 4 };

test("a decision reads as one sentence: who asked for what, who served it, why, how it ended", () => {
  const line = textLine(
    JSON.stringify({
      ...base,
      alias: "local",
      reason: "local_cold",
      backend: "cloud",
      target: "c/m",
      status: 200,
      outcome: "ok",
      fallback: "l/m;local_cold",
    }),
    false,
  );
  expect(line).toBe(
    "00:00:00.000 local → cloud c/m · local_cold · 200 · 12 ms · 3+4 tokens · fallback from l/m;local_cold\n",
  );
});

test("a request refused before a decision names no target", () => {
  const refused = { ...base, alias: "", status: 400, outcome: "error", error: "invalid_json", message: "not JSON" };
  expect(textLine(JSON.stringify(refused), false)).toBe("00:00:00.000 refused · 400 error · invalid_json: not JSON\n");
});

test("other lines keep their fields, and what is no log line passes as it is", () => {
  const line = textLine(JSON.stringify({ level: 40, time: 0, event: "config_warning", msg: "a literal key" }), false);
  expect(line).toBe("00:00:00.000 warn a literal key\n");
  expect(textLine("plain\n", false)).toBe("plain\n");
});
