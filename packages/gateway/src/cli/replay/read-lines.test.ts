import { expect, test } from "bun:test";
import { readLines } from "./read-lines.ts";

async function linesOf(text: string, size: number): Promise<string[]> {
  const bytes = new TextEncoder().encode(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  return await Array.fromAsync(readLines(chunks()));
}

test("lines come whole wherever the pieces are cut, in the middle of a letter too", async () => {
  for (const size of [1, 2, 3, 100]) {
    expect(await linesOf("één\n\n  \nzwei\r\ndrei", size)).toEqual(["één", "zwei\r", "drei"]);
  }
});

test("a line without an end is cut, so that it cannot fill the memory", async () => {
  const [line] = await linesOf("x".repeat(5_000_000), 65_536);
  expect(line?.length).toBeLessThan(1_100_000);
});
