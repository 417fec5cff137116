import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventQueue } from "./event-queue.ts";

test("what is due happens in order of time, then of arrival, and nothing else does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), fc.integer({ min: 0, max: 20 }), (times, until) => {
      const queue = new EventQueue();
      const happened: [number, number][] = [];
      for (const [turn, atMs] of times.entries()) queue.add(atMs, () => happened.push([atMs, turn]));
      queue.run(until);
      const due = times.map((atMs, turn): [number, number] => [atMs, turn]).filter(([atMs]) => atMs <= until);
      expect(happened).toEqual(due.sort(([a, i], [b, j]) => a - b || i - j));
      expect(queue.size).toBe(times.length - due.length);
    }),
  );
});

test("what an event adds happens in the same run when it is due", () => {
  const queue = new EventQueue();
  const happened: string[] = [];
  queue.add(1, () => {
    happened.push("first");
    queue.add(2, () => happened.push("second"));
    queue.add(9, () => happened.push("late"));
  });
  queue.run(5);
  expect(happened).toEqual(["first", "second"]);
});

test("no more than a given number wait: the earliest happen before their time", () => {
  const queue = new EventQueue();
  const happened: number[] = [];
  for (const atMs of [5, 3, 9, 7]) queue.add(atMs, () => happened.push(atMs));
  queue.trim(2);
  expect(happened).toEqual([3, 5]);
  expect(queue.size).toBe(2);
});
