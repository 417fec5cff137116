import { expect, test } from "bun:test";
import { settle } from "../../test/fixtures/fake-clock.ts";
import { WorkerChannel } from "./worker-channel.ts";

/** Two ends, and what went from the first to the second, as JSON. */
function ends() {
  const sent: string[] = [];
  const one: WorkerChannel = new WorkerChannel((frames) => {
    sent.push(JSON.stringify(frames));
    two.receive(JSON.parse(JSON.stringify(frames)));
  });
  const two: WorkerChannel = new WorkerChannel((frames) => one.receive(JSON.parse(JSON.stringify(frames))));
  return { one, two, sent };
}

test("a question is answered, at once or later, and what one turn asks travels together", async () => {
  const { one, two, sent } = ends();
  two.on("double", (n) => Number(n) * 2);
  two.on("later", async (n) => Number(n) + 1);
  expect(await Promise.all([one.ask("double", 4), one.ask("later", 4), one.ask("double", 5)])).toEqual([8, 5, 10]);
  expect(sent).toHaveLength(1);
});

test("a refusal comes back as one, with its reason", async () => {
  const { one, two } = ends();
  two.on("no", () => {
    throw new Error("never");
  });
  expect(one.ask("no")).rejects.toThrow("never");
  expect(one.ask("unheard")).rejects.toThrow("nobody answers to unheard");
  await settle();
});

test("when the other end is gone every question fails, also later ones", async () => {
  const { one, two } = ends();
  two.on("never", () => new Promise(() => {}));
  const asked = one.ask("never");
  one.close("it is gone");
  expect(asked).rejects.toThrow("it is gone");
  expect(one.ask("again")).rejects.toThrow("it is gone");
  expect(one.isOpen).toBe(false);
  await settle();
});

test("questions without an answer are bounded", async () => {
  const one = new WorkerChannel(() => {});
  const asked = Array.from({ length: 5_001 }, () => one.ask("x").catch((error: Error) => error.message));
  expect(await asked.at(-1)).toMatch(/too many/);
  one.close("the end");
  expect(await asked[0]).toBe("the end");
});

test("what arrives from an end that was closed is not answered", () => {
  const { one, two } = ends();
  const heard: unknown[] = [];
  two.on("lock", (body) => heard.push(body));
  two.close("it ended");
  two.receive([["tell", 0, "lock", 1]]);
  one.tell("lock", 2);
  expect(heard).toEqual([]);
});
