import { expect, test } from "bun:test";
import type { ComparedAnswer } from "./shadow-answer.ts";
import { compareAnswers } from "./shadow-comparison.ts";

const said = (text: string, more: Partial<ComparedAnswer> = {}): ComparedAnswer => ({
  text,
  characters: text.length,
  finish: "stop",
  calls: [],
  callsCut: false,
  ...more,
});
const called = (...calls: [string, string][]): ComparedAnswer =>
  said("", { finish: "tool_calls", calls: calls.map(([name, args]) => ({ name, arguments: args })) });

test("short answers are the same but for case, spaces and a full stop", () => {
  expect(compareAnswers(said("Positive."), said("  POSITIVE "), false)).toEqual({
    sameFinish: true,
    similarity: expect.closeTo(1),
    sameText: true,
    sameCalls: undefined,
    bothJson: undefined,
    lengthRatio: 11 / 9,
  });
  expect(compareAnswers(said("positive"), said("negative"), false).sameText).toBe(false);
});

test("long answers are like each other by what they share, never equal or not", () => {
  const text = "The quick brown fox jumps over the lazy dog. ".repeat(10);
  const near = compareAnswers(said(text), said(`${text} And then it sleeps.`), false);
  const far = compareAnswers(
    said(text),
    said("Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. ".repeat(8)),
    false,
  );
  expect(near.sameText).toBeUndefined();
  expect(near.similarity).toBeGreaterThan(0.7);
  expect(near.similarity).toBeLessThan(1);
  expect(far.similarity).toBeLessThan(0.15);
});

test("calls are the same whatever their order and the order of their arguments, and not when one value differs", () => {
  const one = called(["weather", '{"city":"Paris","days":2}'], ["time", ""]);
  expect(compareAnswers(one, called(["time", "{}"], ["weather", '{"days":2, "city":"Paris"}']), false).sameCalls).toBe(
    true,
  );
  expect(compareAnswers(one, called(["time", "{}"], ["weather", '{"days":3, "city":"Paris"}']), false).sameCalls).toBe(
    false,
  );
  expect(compareAnswers(one, called(["time", "{}"]), false).sameCalls).toBe(false);
  expect(compareAnswers(one, said("No."), false)).toMatchObject({ sameCalls: false, sameFinish: false });
  expect(compareAnswers(one, { ...one, callsCut: true }, false).sameCalls).toBeUndefined();
});

test("where JSON was wanted both must be JSON, which half a text cannot tell", () => {
  expect(compareAnswers(said('{"a":1}'), said('{"a":2}'), true).bothJson).toBe(true);
  expect(compareAnswers(said('{"a":1}'), said("{a: 1}"), true).bothJson).toBe(false);
  expect(compareAnswers(said('{"a":1}'), said('{"a":1}', { characters: 70_000 }), true).bothJson).toBeUndefined();
});

test("nothing is compared where neither said anything", () => {
  expect(compareAnswers(said(""), said(""), false)).toMatchObject({ similarity: undefined, sameText: undefined });
});
