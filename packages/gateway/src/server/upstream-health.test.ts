import { expect, test } from "bun:test";
import { catalogue, deployment, upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { liveState, runStream } from "../../test/fixtures/target-views.ts";
import { upstreamHealth } from "./upstream-health.ts";

test("models show what was measured of them lately, and null where nothing was", () => {
  const clock = new FakeClock();
  const live = liveState();
  const [asked, idle] = ["asked", "idle"].map((name) => deployment(upstream(name, "local"), "m"));
  if (asked === undefined || idle === undefined) throw new Error("two deployments");
  runStream(live, asked, clock.monotonicMs() - 2_000, { ttftMs: 250, decodeMs: 1_000, outputTokens: 51 });
  const work = { inputTokens: 1, conversationHash: 0, streams: true };
  live.begin(asked, work, clock.monotonicMs()).end("failure", 0, clock.monotonicMs());
  expect(upstreamHealth(catalogue([asked, idle]), live, clock)["upstreams"]).toMatchObject([
    { models: [{ in_flight: 0, ttft_ms: 250, end_to_end_ms: 1_250, tokens_per_second: 50, error_rate: 0.33 }] },
    { models: [{ in_flight: 0, ttft_ms: null, end_to_end_ms: null, tokens_per_second: null, error_rate: 0 }] },
  ]);
});
