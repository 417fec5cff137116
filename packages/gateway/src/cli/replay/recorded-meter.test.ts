import { expect, test } from "bun:test";
import { selfHostedPrice } from "../../config/price-book/self-hosted-price.ts";
import { RecordedMeter } from "./recorded-meter.ts";

const cost = { perHour: 2.5, replicas: 2, basis: "amortised" } as const;

test("a recorded price that was measured gives the same price again", () => {
  const recorded = selfHostedPrice(cost, { tokensPerHour: 1_234_567, tokensPerBusyHour: undefined });
  const meter = new RecordedMeter(["gpu"]);
  meter.note("gpu", recorded?.version ?? "");
  expect(selfHostedPrice(cost, meter.throughput("gpu"))).toEqual(recorded!);
});

test("configured figures, other upstreams and other prices tell nothing", () => {
  const meter = new RecordedMeter(["gpu"]);
  const configured = selfHostedPrice(
    { ...cost, tokensPerHour: 1_000 },
    { tokensPerHour: undefined, tokensPerBusyHour: undefined },
  );
  for (const version of [configured?.version ?? "", "genai-prices 0.1.8 openai/gpt-4o", "override"])
    meter.note("gpu", version);
  const busy = selfHostedPrice({ ...cost, basis: "marginal" }, { tokensPerHour: undefined, tokensPerBusyHour: 5_000 });
  meter.note("other", busy?.version ?? "");
  expect(meter.throughput("gpu").tokensPerHour).toBeUndefined();
  expect(meter.throughput("other").tokensPerBusyHour).toBeUndefined();
});
