import { expect, test } from "bun:test";
import { Exchange } from "../core/exchange.ts";
import { systemClock } from "../lib/clock.ts";
import { DecisionRing } from "./decision-ring.ts";
import { exchangeRecord } from "./exchange-record.ts";

const exchange = (id: string): Exchange => new Exchange({ id, dialect: "openai-chat", clock: systemClock, hops: [] });

test("the oldest decision leaves first", () => {
  const ring = new DecisionRing(2);
  for (const id of ["a", "b", "c"]) ring.decided(exchange(id));
  expect(ring.find("a")).toBeUndefined();
  expect(ring.find("b")?.kind).toBe("running");
  expect(ring.find("c")?.kind).toBe("running");
});

test("a settled decision lets go of its exchange, and one that left does not come back", () => {
  const ring = new DecisionRing(1);
  const [one, two] = [exchange("one"), exchange("two")];
  ring.decided(one);
  ring.settled(exchangeRecord(one, one.startedMs, undefined));
  expect(ring.find("one")?.kind).toBe("settled");
  ring.decided(two);
  ring.settled(exchangeRecord(one, one.startedMs, undefined));
  expect(ring.find("one")).toBeUndefined();
});

test("keeps none when told so, also those it had", () => {
  const ring = new DecisionRing(5);
  ring.decided(exchange("a"));
  ring.resize(0);
  ring.decided(exchange("b"));
  expect(ring.find("a")).toBeUndefined();
  expect(ring.find("b")).toBeUndefined();
});

test("a ring that went round keeps the newest when it shrinks, and takes as many again when it grows", () => {
  const ring = new DecisionRing(4);
  for (const id of ["a", "b", "c", "d", "e", "f"]) ring.decided(exchange(id));
  ring.resize(2);
  expect(["c", "d", "e", "f"].filter((id) => ring.find(id) !== undefined)).toEqual(["e", "f"]);
  ring.resize(3);
  for (const id of ["g", "h"]) ring.decided(exchange(id));
  expect(["e", "f", "g", "h"].filter((id) => ring.find(id) !== undefined)).toEqual(["f", "g", "h"]);
});
