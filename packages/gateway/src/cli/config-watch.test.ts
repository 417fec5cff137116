import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import { ConfigWatch, type Dealt } from "./config-watch.ts";

let folder: ReturnType<typeof tempDir>;
beforeEach(() => {
  folder = tempDir();
});
afterEach(() => folder[Symbol.dispose]());

const at = (...parts: string[]): string => join(folder.path, ...parts);

/** Moves time on while looks at the real file system come and go. */
async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    await clock.advance(100);
    // A look is done when its timer for the next one is set.
    while (clock.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function watch(files: () => string[], deal: () => Dealt = () => "done") {
  const clock = new FakeClock();
  const told: string[][] = [];
  const watch = new ConfigWatch({
    clock,
    files,
    async changed(paths) {
      told.push([...paths]);
      return deal();
    },
  });
  await watch.start();
  return { clock, told, watch };
}

test("tells of a file that was written in place, once, when it is at rest", async () => {
  const path = at("a.yaml");
  writeFileSync(path, "one");
  const { clock, told } = await watch(() => [path]);
  await pass(clock, 5_000);
  expect(told).toEqual([]);
  for (const text of ["t", "tw", "two"]) {
    writeFileSync(path, text);
    await pass(clock, 200);
  }
  expect(told).toEqual([]);
  await pass(clock, 2_000);
  expect(told).toEqual([[path]]);
});

test("a file that is still being written is waited for", async () => {
  const path = at("a.yaml");
  writeFileSync(path, "one");
  const { clock, told } = await watch(() => [path]);
  for (let length = 1; length <= 20; length++) {
    writeFileSync(path, "x".repeat(length));
    await pass(clock, 200);
  }
  expect(told).toEqual([]);
  await pass(clock, 1_000);
  expect(told).toEqual([[path]]);
});

test("tells of a file that another one took the place of, that was deleted, and that came back", async () => {
  const path = at("a.yaml");
  writeFileSync(path, "one");
  const { clock, told } = await watch(() => [path]);
  writeFileSync(at("new"), "one");
  renameSync(at("new"), path);
  await pass(clock, 2_000);
  expect(told.length).toBe(1);
  rmSync(path);
  await pass(clock, 2_000);
  expect(told.length).toBe(2);
  writeFileSync(path, "one");
  await pass(clock, 2_000);
  expect(told.length).toBe(3);
});

test("sees a ConfigMap's folder swapped by its link", async () => {
  for (const [version, text] of [
    ["..v1", "one"],
    ["..v2", "two"],
  ] as const) {
    mkdirSync(at(version));
    writeFileSync(at(version, "fairlead.yaml"), text);
  }
  symlinkSync("..v1", at("..data"));
  symlinkSync(join("..data", "fairlead.yaml"), at("fairlead.yaml"));
  const path = at("fairlead.yaml");
  const { clock, told } = await watch(() => [path]);
  symlinkSync("..v2", at("..data_tmp"));
  renameSync(at("..data_tmp"), at("..data"));
  rmSync(at("..v1"), { recursive: true });
  await pass(clock, 2_000);
  expect(told).toEqual([[path]]);
});

test("a file that is named later is watched from then on, and names only what changed", async () => {
  const files = [at("a"), at("b")];
  for (const path of files) writeFileSync(path, "one");
  const { clock, told } = await watch(() => files);
  writeFileSync(at("c"), "one");
  files.push(at("c"));
  await pass(clock, 2_000);
  expect(told).toEqual([]);
  writeFileSync(at("c"), "two");
  await pass(clock, 2_000);
  expect(told).toEqual([[at("c")]]);
});

test("what could not be dealt with is told again, and nothing after the stop", async () => {
  const path = at("a.yaml");
  writeFileSync(path, "one");
  let dealt: Dealt = "again";
  const {
    clock,
    told,
    watch: it,
  } = await watch(
    () => [path],
    () => dealt,
  );
  writeFileSync(path, "two");
  await pass(clock, 2_000);
  expect(told.length).toBe(1);
  dealt = "done";
  await pass(clock, 20_000);
  expect(told.length).toBe(2);
  writeFileSync(path, "three");
  it.stop();
  await clock.advance(5_000);
  expect(clock.waiting).toBe(0);
  expect(told.length).toBe(2);
});
