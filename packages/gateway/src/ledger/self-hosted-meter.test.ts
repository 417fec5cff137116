import { describe, expect, test } from "bun:test";
import { SelfHostedMeter } from "./self-hosted-meter.ts";

const minute = 60_000;
const hour = 60 * minute;

function serve(meter: SelfHostedMeter, tokens: number, fromMs: number, untilMs: number): void {
  meter.began("own", fromMs);
  meter.ended("own", tokens, untilMs);
}

describe("SelfHostedMeter", () => {
  test("spreads tokens over all hours, or over the busy ones only", () => {
    const meter = new SelfHostedMeter(["own"]);
    // Two hours, in which the engine was busy for half an hour.
    serve(meter, 300_000, 0, 10 * minute);
    serve(meter, 600_000, hour, hour + 20 * minute);
    expect(meter.throughput("own", 2 * hour)).toEqual({ tokensPerHour: 450_000, tokensPerBusyHour: 1_800_000 });
  });

  test("counts time once in which several requests ran", () => {
    const meter = new SelfHostedMeter(["own"]);
    meter.began("own", 0);
    meter.began("own", 5 * minute);
    meter.ended("own", 10_000, 10 * minute);
    meter.ended("own", 20_000, 30 * minute);
    expect(meter.throughput("own", hour).tokensPerBusyHour).toBe(60_000);
  });

  test("counts a request that still runs as busy time", () => {
    const meter = new SelfHostedMeter(["own"]);
    serve(meter, 30_000, 0, 30 * minute);
    meter.began("own", 30 * minute);
    expect(meter.throughput("own", 90 * minute).tokensPerBusyHour).toBe(20_000);
  });

  test("says nothing until an hour passed and enough was served", () => {
    const meter = new SelfHostedMeter(["own"]);
    const unknown = { tokensPerHour: undefined, tokensPerBusyHour: undefined };
    expect(meter.throughput("own", 0)).toEqual(unknown);
    serve(meter, 9_999, 0, 4 * minute);
    expect(meter.throughput("own", 2 * hour)).toEqual(unknown);
    serve(meter, 1, 2 * hour, 2 * hour);
    // Four busy minutes say nothing of a busy hour.
    expect(meter.throughput("own", 2 * hour + minute)).toEqual({ ...unknown, tokensPerHour: expect.any(Number) });
  });

  test("changes once a minute, and is the same object until then", () => {
    const meter = new SelfHostedMeter(["own"]);
    serve(meter, 100_000, 0, hour);
    const first = meter.throughput("own", hour);
    serve(meter, 100_000, hour, hour + 1);
    expect(meter.throughput("own", hour + minute - 1)).toBe(first);
    expect(meter.throughput("own", hour + minute).tokensPerHour).toBeGreaterThan(first.tokensPerHour ?? 0);
  });

  test("forgets what is older than a day, and keeps the last rate while nothing is served", () => {
    const meter = new SelfHostedMeter(["own"]);
    serve(meter, 1_000_000, 0, hour);
    expect(meter.throughput("own", hour).tokensPerHour).toBe(1_000_000);
    serve(meter, 240_000, 24 * hour, 25 * hour);
    // The window reaches back to the beginning of hour 2.
    expect(meter.throughput("own", 25 * hour + 30 * minute).tokensPerHour).toBeCloseTo(240_000 / 23.5, 6);
    const last = meter.throughput("own", 30 * hour);
    expect(meter.throughput("own", 90 * hour)).toEqual(last);
  });

  test("a request that runs for days fills the window and no more", () => {
    const meter = new SelfHostedMeter(["own"]);
    serve(meter, 2_400_000, 0, 100 * hour);
    expect(meter.throughput("own", 100 * hour).tokensPerBusyHour).toBeCloseTo(2_400_000 / 23, 6);
  });

  test("measures no upstream it was not told of, and no end without a beginning", () => {
    const meter = new SelfHostedMeter(["own"]);
    meter.began("other", 0);
    meter.ended("other", 1_000_000, hour);
    meter.ended("own", 1_000_000, hour);
    expect(meter.throughput("other", 2 * hour).tokensPerHour).toBeUndefined();
    expect(meter.throughput("own", 2 * hour).tokensPerHour).toBeUndefined();
  });
});
