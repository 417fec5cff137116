import { expect, test } from "bun:test";
import { mayServe, type Readiness, type ReadinessFacts, readinessOf } from "./readiness.ts";

const plain: ReadinessFacts = {
  upstream: "ready",
  load: undefined,
  wakesModel: false,
  startsServer: false,
  phase: undefined,
  isDrained: false,
};

test("a deployment's state follows from its upstream, its model and its wake-up", () => {
  const cases: readonly (readonly [Partial<ReadinessFacts>, Readiness])[] = [
    [{ upstream: "unknown" }, "unknown"],
    [{}, "ready"],
    [{ upstream: "cold" }, "cold"],
    [{ upstream: "down" }, "failed"],
    // Who can start the server knows it to be away, not broken.
    [{ upstream: "down", startsServer: true }, "cold"],
    [{ load: "loaded" }, "ready"],
    [{ load: "loading" }, "warming"],
    // The server loads it for whoever asks, unless a call of ours is there for that.
    [{ load: "unloaded" }, "ready"],
    [{ load: "unloaded", wakesModel: true }, "cold"],
    [{ load: "unloaded", wakesModel: true, phase: "waking" }, "warming"],
    [{ upstream: "cold", phase: "waking" }, "warming"],
    [{ upstream: "down", phase: "waking" }, "warming"],
    [{ upstream: "cold", phase: "failed" }, "failed"],
    // What is there is there, whatever was called.
    [{ phase: "waking" }, "ready"],
    [{ phase: "failed" }, "ready"],
    [{ phase: "dozing" }, "draining"],
    [{ isDrained: true }, "draining"],
    [{ isDrained: true, upstream: "cold", phase: "waking" }, "draining"],
  ];
  for (const [facts, state] of cases) expect([facts, readinessOf({ ...plain, ...facts })]).toEqual([facts, state]);
});

test("only what is ready or was never asked may serve", () => {
  const all: readonly Readiness[] = ["unknown", "cold", "warming", "ready", "draining", "failed"];
  expect(all.filter(mayServe)).toEqual(["unknown", "ready"]);
});
