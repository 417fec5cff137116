import { describe, expect, test } from "bun:test";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { BodyMemory } from "./body-memory.ts";
import { readBody } from "./read-body.ts";

const limits = { maxBodyBytes: 2_000_000, bodyTimeoutMs: 1_000 };

/** A request whose body comes when it is told to. */
function slow(announced?: number) {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start(made) {
      controller = made;
    },
    cancel() {
      cancelled = true;
    },
  });
  const headers: Record<string, string> = announced === undefined ? {} : { "content-length": String(announced) };
  const request = new Request("http://gateway/", { method: "POST", body, headers });
  return {
    request,
    send: (bytes: number) => controller?.enqueue(new Uint8Array(bytes).fill(120)),
    end: () => controller?.close(),
    wasCancelled: () => cancelled,
  };
}

function rig(maxBytes = 10_000_000) {
  const clock = new FakeClock();
  const memory = new BodyMemory(maxBytes);
  const hold = memory.hold();
  return { clock, memory, hold };
}

test("characters that lie across chunks are whole", async () => {
  const { clock, hold } = rig();
  const { request, end } = slow();
  const text = readBody(request, limits, clock, hold);
  end();
  expect(await text).toBe("");
  const bytes = new TextEncoder().encode("ä€😀");
  const chunks = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  expect(await readBody(new Request("http://gateway/", { method: "POST", body: chunks }), limits, clock, hold)).toBe(
    "ä€😀",
  );
});

describe("time", () => {
  test("a body that stops is given up, and its reader with it", async () => {
    const { clock, hold } = rig();
    const { request, send, wasCancelled } = slow();
    const reading = readBody(request, limits, clock, hold);
    reading.catch(() => {});
    send(10);
    await clock.advance(1_100);
    await expect(reading).rejects.toMatchObject({ code: "request_timeout" });
    expect(wasCancelled()).toBe(true);
    expect(clock.waiting).toBe(0);
  });

  test("a large body over a slow link may take longer, as long as it keeps coming", async () => {
    const { clock, hold } = rig();
    const { request, send, end } = slow(1_600_000);
    const reading = readBody(request, limits, clock, hold);
    for (let second = 0; second < 40; second++) {
      send(40_000);
      await clock.advance(1_000);
    }
    end();
    expect((await reading).length).toBe(1_600_000);
    expect(clock.waiting).toBe(0);
  });

  test("a drip is not enough", async () => {
    const { clock, hold } = rig();
    const { request, send } = slow(1_600_000);
    let error: unknown;
    readBody(request, limits, clock, hold).catch((thrown) => {
      error = thrown;
    });
    for (let second = 0; second < 3 && error === undefined; second++) {
      send(1_000);
      await clock.advance(1_000);
    }
    expect(error).toMatchObject({ code: "request_timeout" });
  });
});

describe("memory", () => {
  const body = (bytes: number) =>
    new Request("http://gateway/", {
      method: "POST",
      body: "x".repeat(bytes),
      headers: { "content-length": `${bytes}` },
    });

  test("is held until it is released, once", async () => {
    const { clock, memory, hold } = rig();
    await readBody(body(1_000), limits, clock, hold);
    expect(memory.held).toBe(1_000);
    hold.release();
    hold.release();
    expect(memory.held).toBe(0);
  });

  test("that is full refuses before reading, and has room again when others are done", async () => {
    const { clock, memory, hold } = rig(1_500);
    await readBody(body(1_000), limits, clock, hold);
    await expect(readBody(body(1_000), limits, clock, memory.hold())).rejects.toMatchObject({ code: "overcapacity" });
    expect([memory.held, memory.refused]).toEqual([1_000, 1]);
    hold.release();
    const next = memory.hold();
    expect(await readBody(body(1_000), limits, clock, next)).toHaveLength(1_000);
    next.release();
    expect(memory.held).toBe(0);
  });

  test("counts large and unannounced bodies by what came, and refuses them when it is full", async () => {
    const { clock, memory, hold } = rig(400_000);
    const { request, send, wasCancelled } = slow(390_000);
    const reading = readBody(request, limits, clock, hold);
    reading.catch(() => {});
    send(100_000);
    await settle();
    expect(memory.held).toBe(100_000);
    await expect(readBody(slow(390_000).request, limits, clock, memory.hold())).rejects.toMatchObject({
      code: "overcapacity",
    });
    const other = memory.hold();
    other.take(300_000);
    send(50_000);
    await expect(reading).rejects.toMatchObject({ code: "overcapacity" });
    expect(wasCancelled()).toBe(true);
    hold.release();
    other.release();
    expect(memory.held).toBe(0);
  });
});

test("a body that is larger than allowed is refused, announced or not", async () => {
  const { clock, hold } = rig();
  await expect(readBody(slow(3_000_000).request, limits, clock, hold)).rejects.toMatchObject({
    code: "request_too_large",
  });
  const { request, send } = slow();
  const reading = readBody(request, limits, clock, hold);
  send(2_000_001);
  await expect(reading).rejects.toMatchObject({ code: "request_too_large" });
});
