import { describe, expect, test } from "bun:test";
import { GatewayError } from "../core/errors.ts";
import { WishReader } from "./wish-reader.ts";

function refusal(act: () => unknown): { readonly param: string | undefined; readonly message: string } {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === "invalid_request") {
      return { param: thrown.detail.param, message: thrown.message };
    }
  }
  throw new Error("an invalid_request was expected");
}

const reader = (value: unknown) => new WishReader(value, "routing");

test("absent and null fields are undefined, and so is everything of an absent object", () => {
  for (const given of [undefined, null, {}, { a: null }]) {
    const fields = reader(given);
    expect(fields.name("a")).toBeUndefined();
    expect(fields.names("a", 1)).toBeUndefined();
    expect(fields.positive("a")).toBeUndefined();
    expect(fields.atLeastZero("a")).toBeUndefined();
    expect(fields.flag("a")).toBeUndefined();
    expect(fields.choice("a", ["b"])).toBeUndefined();
    expect(fields.object("a")).toBeUndefined();
    fields.finish();
  }
});

test("what is no object is refused", () => {
  for (const value of ["text", 1, true, []]) expect(refusal(() => reader(value)).param).toBe("routing");
});

describe("values of the right kind", () => {
  test("are returned, at their edges too", () => {
    const fields = reader({ name: "n".repeat(256), zero: 0, small: 1e-9, yes: false, way: "b", list: ["x", "y", "x"] });
    expect(fields.name("name")).toHaveLength(256);
    expect(fields.atLeastZero("zero")).toBe(0);
    expect(fields.positive("small")).toBe(1e-9);
    expect(fields.flag("yes")).toBe(false);
    expect(fields.choice("way", ["a", "b"])).toBe("b");
    expect(fields.names("list", 3)).toEqual(["x", "y"]);
  });
});

test.each<[string, (fields: WishReader) => unknown, unknown, RegExp]>([
  ["an empty name", (fields) => fields.name("f"), "", /1 to 256/],
  ["a name that is too long", (fields) => fields.name("f"), "n".repeat(257), /1 to 256/],
  ["a number as a name", (fields) => fields.name("f"), 5, /is 5\./],
  ["a list that is none", (fields) => fields.names("f", 2), "a", /at most 2 names/],
  ["a list that is too long", (fields) => fields.names("f", 2), ["a", "b", "c"], /at most 2 names/],
  ["a list with an empty name", (fields) => fields.names("f", 2), [""], /names/],
  ["zero where it must be more", (fields) => fields.positive("f"), 0, /above 0/],
  ["no number", (fields) => fields.positive("f"), Number.NaN, /is NaN/],
  ["endlessly much", (fields) => fields.positive("f"), Number.POSITIVE_INFINITY, /is Infinity/],
  ["less than zero", (fields) => fields.atLeastZero("f"), -0.01, /at least 0/],
  ["a number as text", (fields) => fields.atLeastZero("f"), "1", /is "1"/],
  ["a word as a flag", (fields) => fields.flag("f"), "true", /true or false/],
  ["a choice that is none", (fields) => fields.choice("f", ["a", "b"]), "c", /`a`, `b`/],
  ["a text as an object", (fields) => fields.object("f"), "x", /an object/],
])("%s is refused with field, value and expectation", (_, read, value, expected) => {
  const { param, message } = refusal(() => read(reader({ f: value })));
  expect(param).toBe("routing.f");
  expect(message).toMatch(expected);
});

test("a field that nobody read is refused, with the near one or all there are", () => {
  const near = reader({ max_cost: 1 });
  near.atLeastZero("max_cost_usd");
  near.name("region");
  expect(refusal(() => near.finish()).message).toContain("`max_cost_usd`");
  const far = reader({ colour: "red" });
  far.name("region");
  expect(refusal(() => far.finish())).toMatchObject({ param: "routing.colour" });
});

test("inner objects carry their path, and the top level none", () => {
  const inner = reader({ max_price: { prompt: -1 } }).object("max_price");
  expect(refusal(() => inner?.atLeastZero("prompt")).param).toBe("routing.max_price.prompt");
  expect(refusal(() => new WishReader({ a: 1 }, "").name("a")).param).toBe("a");
});

test("a long value is cut before it is shown", () => {
  const { message } = refusal(() => reader({ f: { text: "x".repeat(5_000) } }).name("f"));
  expect(message.length).toBeLessThan(300);
});
