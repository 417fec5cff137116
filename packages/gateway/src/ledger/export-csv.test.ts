import { expect, test } from "bun:test";
import { attemptOf, cloudTarget, exchangeOf } from "../../test/fixtures/ledger-rows.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";
import { exportCsv } from "./export-csv.ts";
import { exportJsonl } from "./export-jsonl.ts";
import type { LedgerRow } from "./ledger-row.ts";

async function* rowsOf(...records: ExchangeRecord[]): AsyncGenerator<LedgerRow> {
  for (const record of records) yield { record, orphaned: false };
}

/** Reads CSV the way RFC 4180 says. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r\n)/g)) {
    rows.at(-1)?.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

async function csv(...records: ExchangeRecord[]): Promise<Record<string, string>[]> {
  const [names = [], ...rows] = parseCsv((await Array.fromAsync(exportCsv(rowsOf(...records)))).join(""));
  return rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i] ?? "", value])));
}

test("commas, quotes and line ends stay inside their cell", async () => {
  const asked = 'a, "b"\r\nc';
  const [row, next] = await csv(exchangeOf("x1", 0, { asked }), exchangeOf("x2", 0));
  expect(row).toMatchObject({ id: "x1", asked, cost_nano_usd: "1000", tags: "blue red", first_content_ms: "45.5" });
  expect(next?.["id"]).toBe("x2");
});

test("text that a spreadsheet would run is made text; numbers below zero stay numbers", async () => {
  const evil = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1"];
  const rows = await csv(...evil.map((asked) => exchangeOf("x", 0, { asked, referenceCost: -5 })));
  expect(rows.map((row) => row["asked"])).toEqual(evil.map((text) => `'${text}`));
  expect(rows[0]?.["reference_cost_nano_usd"]).toBe("-5");
});

test("what is not known is empty, not 0", async () => {
  const [row] = await csv(exchangeOf("x", 0, { cost: undefined, served: undefined, attempts: [], keyId: undefined }));
  expect(row).toMatchObject({ cost_nano_usd: "", target: "", key_id: "", price_version: "" });
});

test("JSON lines hold the whole exchange", async () => {
  const record = exchangeOf("x", 0, { attempts: [attemptOf(cloudTarget, { rawUsage: { odd: [1] } })] });
  const [line = ""] = await Array.fromAsync(exportJsonl(rowsOf(record)));
  expect(line.endsWith("}\n")).toBe(true);
  expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify({ ...record, orphaned: false })));
});
