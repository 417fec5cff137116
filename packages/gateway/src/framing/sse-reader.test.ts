import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GatewayError } from "../core/errors.ts";
import { type SseEvent, sseReader } from "./sse-reader.ts";
import { sseData, sseDone, sseEvent, sseText } from "./sse-writer.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function readAll(chunks: readonly Uint8Array[], max?: number): SseEvent[] {
  const reader = sseReader(max);
  return [...chunks.flatMap((chunk) => reader.push(chunk)), ...reader.end()];
}

function split(body: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (body.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => body.subarray(from, places[i] ?? body.length));
}

const sample = bytes(
  '\uFEFF: hello\r\nevent: a\r\ndata: {"é":"😀"}\r\n\r\ndata: 1\rdata:2\r\rid: 3\nretry: 5\n\ndata\n\nevent: x\n\n: c\ndata:  two\n\ndata: last',
);
const sampleEvents: SseEvent[] = [
  { event: "a", data: '{"é":"😀"}' },
  { event: undefined, data: "1\n2" },
  { event: undefined, data: "" },
  { event: undefined, data: " two" },
  { event: undefined, data: "last" },
];

describe("sseReader", () => {
  test("reads the same events whole and byte by byte", () => {
    expect(readAll([sample])).toEqual(sampleEvents);
    expect(readAll([...sample].map((byte) => Uint8Array.of(byte)))).toEqual(sampleEvents);
  });

  test("reads the same events under any split", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(sample.length)), (cuts) => {
        expect(readAll(split(sample, cuts))).toEqual(sampleEvents);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  test("delivers an event as soon as its blank line is there", () => {
    const reader = sseReader();
    expect(reader.push(bytes("data: 1\r\n\r"))).toEqual([{ event: undefined, data: "1" }]);
    expect(reader.push(bytes("\ndata: 2\n"))).toEqual([]);
    expect(reader.push(bytes("\n"))).toEqual([{ event: undefined, data: "2" }]);
    expect(reader.end()).toEqual([]);
  });

  test("bounds one event, not the stream", () => {
    const small = bytes(`data: ${"x".repeat(50)}\n\n`);
    expect(
      readAll(
        Array.from({ length: 50 }, () => small),
        100,
      ),
    ).toHaveLength(50);
    expect(() => readAll([bytes(`data: ${"x".repeat(200)}`)], 100)).toThrow(GatewayError);
    expect(() => readAll([bytes("data: 0123456789\n".repeat(20))], 100)).toThrow(GatewayError);
  });

  test("takes time linear in the body when bytes come one at a time", () => {
    const body = bytes(`data: ${"x".repeat(400_000)}\n\n`);
    const reader = sseReader();
    let count = 0;
    for (let i = 0; i < body.length; i++) count += reader.push(body.subarray(i, i + 1)).length;
    expect(count).toBe(1);
  });

  test("never throws on arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (chunks) => {
        readAll(chunks);
      }),
    );
  });

  test("reads back what the writer frames", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 })), (texts) => {
        const lines = texts.map((text) => text.replaceAll("\r", ""));
        const body = lines.map((text) => sseData(text) + sseEvent("t", text) + sseText(text)).join("") + sseDone;
        const expected = lines.flatMap((text) => [
          { event: undefined, data: JSON.stringify(text) },
          { event: "t", data: JSON.stringify(text) },
          { event: undefined, data: text },
        ]);
        expect(readAll([bytes(body)])).toEqual([...expected, { event: undefined, data: "[DONE]" }]);
      }),
    );
  });
});
