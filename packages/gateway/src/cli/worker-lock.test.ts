import { expect, test } from "bun:test";
import { settle } from "../../test/fixtures/fake-clock.ts";
import { WorkerLock } from "./worker-lock.ts";

test("one has it at a time, in the order asked; whoever is gone gives it on and waits no more", async () => {
  const lock = new WorkerLock<string>();
  const got: string[] = [];
  for (const who of ["a", "b", "c", "d"]) void lock.take(who).then(() => got.push(who));
  await settle();
  expect(got).toEqual(["a"]);
  lock.leave("b");
  lock.gone("c");
  await settle();
  expect(got).toEqual(["a"]);
  lock.leave("a");
  await settle();
  expect(got).toEqual(["a", "b"]);
  lock.gone("b");
  await settle();
  expect(got).toEqual(["a", "b", "d"]);
});
