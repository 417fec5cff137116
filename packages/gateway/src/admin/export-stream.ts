import type { LedgerRow } from "../ledger/ledger-row.ts";
import { csvLine } from "./csv-line.ts";
import { type ExchangeWire, exchangeWire } from "./exchange-wire.ts";

type Cell = string | number | boolean | null;

const columns: readonly (readonly [string, (row: ExchangeWire) => Cell])[] = [
  ["id", (row) => row.id],
  ["at", (row) => row.at],
  ["key", (row) => row.key],
  ["team", (row) => row.team],
  ["user", (row) => row.user],
  ["tags", (row) => row.tags.join(" ")],
  ["asked", (row) => row.asked],
  ["stream", (row) => row.stream],
  ["reason", (row) => row.reason],
  ["target", (row) => row.served?.target ?? null],
  ["upstream", (row) => row.served?.upstream ?? null],
  ["provider", (row) => row.served?.provider ?? null],
  ["model", (row) => row.served?.model ?? null],
  ["placement", (row) => row.served?.placement ?? null],
  ["attempts", (row) => row.attempts.length],
  ["status", (row) => row.status],
  ["outcome", (row) => row.outcome],
  ["error", (row) => row.error?.code ?? null],
  ["input_tokens", (row) => row.tokens.input],
  ["cached_read_tokens", (row) => row.tokens.cached_read],
  ["cache_write_tokens", (row) => row.tokens.cache_write],
  ["output_tokens", (row) => row.tokens.output],
  ["reasoning_tokens", (row) => row.tokens.reasoning],
  ["estimated", (row) => row.estimated],
  ["orphaned", (row) => row.orphaned],
  ["cost_usd", (row) => row.cost_usd],
  ["unpriced", (row) => row.unpriced],
  ["reference_cost_usd", (row) => row.reference_cost_usd],
  ["duration_ms", (row) => row.duration_ms],
  ["first_content_ms", (row) => row.first_content_ms],
];

const formats = {
  csv: {
    type: "text/csv; charset=utf-8",
    head: csvLine(columns.map(([name]) => name)),
    line: (row: ExchangeWire) => csvLine(columns.map(([, read]) => read(row))),
  },
  jsonl: { type: "application/jsonl", head: "", line: (row: ExchangeWire) => `${JSON.stringify(row)}\n` },
} as const;

/** Bytes that are gathered before a piece is sent. */
const pieceChars = 65_536;

async function* textOf(rows: AsyncIterable<LedgerRow>, format: keyof typeof formats): AsyncGenerator<string> {
  const { head, line } = formats[format];
  let piece: string = head;
  for await (const row of rows) {
    piece += line(exchangeWire(row));
    if (piece.length < pieceChars) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Sends rows as they are read; a reader that leaves ends the reading. A fault in the middle breaks the answer off. */
export function exportResponse(rows: AsyncIterable<LedgerRow>, format: keyof typeof formats): Response {
  const text = textOf(rows, format);
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await text.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await text.return(undefined);
    },
  });
  return new Response(body, {
    headers: {
      "content-type": formats[format].type,
      "content-disposition": `attachment; filename="fairlead-ledger.${format}"`,
      "cache-control": "no-store",
    },
  });
}
