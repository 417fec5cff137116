import { expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { exchangeOf, seeded } from "../../../test/fixtures/ledger-rows.ts";
import { tempDir } from "../../../test/fixtures/temp-dir.ts";
import { systemClock } from "../../lib/clock.ts";
import { encodeBegin, settleLine } from "./journal-line.ts";
import { JournalWriter } from "./journal-writer.ts";
import { readFolder } from "./recover-journals.ts";

const at = 1_780_000_000_000;
const target = { target: "box/größe", upstream: "box", provider: "own", model: "größe", placement: "local" } as const;

function beginLine(id: string): string {
  return encodeBegin({
    id,
    at,
    dialect: "openai-chat",
    keyId: undefined,
    team: "größe",
    user: undefined,
    tags: [],
    asked: "auto",
    stream: false,
    reason: undefined,
    target,
    inputTokens: 1,
    outputTokens: 2,
    cost: undefined,
    priceVersion: undefined,
  });
}

/** Lines of exchanges that overlap at random: each begins, most settle. */
function randomLines(seed: number): string[] {
  const random = seeded(seed);
  const running: string[] = [];
  return Array.from({ length: 60 }, (_, i) => {
    if (running.length === 0 || random() < 0.5) {
      running.push(`e${i}`);
      return beginLine(`e${i}`);
    }
    const [id = ""] = running.splice(Math.floor(random() * running.length), 1);
    return settleLine(JSON.stringify(exchangeOf(id, at, { asked: "größe ".repeat(Math.floor(random() * 20)) })));
  });
}

test("cut at any byte, a journal gives every whole settle once and every open begin once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(1_000_000), fc.double({ min: 0, max: 1, noNaN: true }), async (seed, share) => {
      using folder = tempDir();
      const lines = randomLines(seed);
      const bytes = Buffer.from(lines.join(""));
      const cut = Math.floor(bytes.length * share);
      writeFileSync(join(folder.path, "1.jsonl"), bytes.subarray(0, cut));

      const whole: string[] = [];
      for (
        let length = 0;
        length + Buffer.byteLength(lines[whole.length] ?? "") <= cut && whole.length < lines.length;
      ) {
        const line = lines[whole.length] ?? "";
        length += Buffer.byteLength(line);
        whole.push(line);
      }
      const settledIds = whole.filter((line) => line[0] === "s").map((line) => JSON.parse(line.slice(1)).id);
      const begunIds = whole.filter((line) => line[0] === "b").map((line) => JSON.parse(line.slice(1))[0]);
      const openIds = begunIds.filter((id) => !settledIds.includes(id));

      const rows = await Array.fromAsync(readFolder(folder.path));
      expect(rows.filter(({ orphaned }) => !orphaned).map(({ record }) => record.id)).toEqual(settledIds);
      expect(rows.filter(({ orphaned }) => orphaned).map(({ record }) => record.id)).toEqual(openIds);
    }),
    { numRuns: 150, seed: 20_261_121 },
  );
});

test("segments are read in the order they were written, and longer than one read at a time", async () => {
  using folder = tempDir();
  const options = { clock: systemClock, maxBytes: 1e9, onFault: (fault: unknown) => expect(fault).toBeUndefined() };
  const writer = new JournalWriter(folder.path, { ...options, segmentBytes: 600_000 });
  const ids = Array.from({ length: 1_500 }, (_, i) => `e${i}`);
  for (const id of ids) writer.append(settleLine(JSON.stringify(exchangeOf(id, at))));
  writer.close();
  expect(writer.segments.length).toBeGreaterThan(2);
  const rows = await Array.fromAsync(readFolder(folder.path));
  expect(rows.map(({ record }) => record.id)).toEqual(ids);
  expect(rows[0]?.record).toEqual(exchangeOf("e0", at));
});

test("what is written to the disk is readable by its owner only", () => {
  using folder = tempDir();
  const options = { clock: systemClock, maxBytes: 1e9, segmentBytes: 1e6, onFault: () => {} };
  const writer = new JournalWriter(folder.path, options);
  writer.append(beginLine("e1"));
  writer.close();
  expect(statSync(join(folder.path, "1.jsonl")).mode & 0o777).toBe(0o600);
});
