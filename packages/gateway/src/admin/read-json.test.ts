import { expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { readJson } from "./read-json.ts";

/** A body of which these parts arrive, and nothing after them. */
function stalled(...parts: readonly string[]) {
  const state = { cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
    },
    cancel() {
      state.cancelled = true;
    },
  });
  const headers = { "content-type": "application/json" };
  return { state, request: new Request("http://fairlead.test/", { method: "POST", headers, body }) };
}

test("a body that does not arrive is given up after half a minute, and nothing is left waiting", async () => {
  const clock = new FakeClock();
  const { request, state } = stalled("{");
  const read = readJson(request, clock).catch(({ code }) => code);
  await clock.advance(30_000);
  expect(await read).toBe("request_timeout");
  expect(state.cancelled).toBe(true);
  expect(clock.waiting).toBe(0);
});

test("a body that is too large is not read to its end", async () => {
  const clock = new FakeClock();
  const { request, state } = stalled("x".repeat(1_500_000), "x".repeat(1_500_000));
  expect(await readJson(request, clock).catch(({ code }) => code)).toBe("request_too_large");
  expect(state.cancelled).toBe(true);
  expect(clock.waiting).toBe(0);
});
