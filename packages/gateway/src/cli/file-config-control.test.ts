import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Gateway, Snapshot } from "../build-gateway.ts";
import { FileConfigControl, type FileConfigParts } from "./file-config-control.ts";
import { loadOrMakeConfig } from "./load.ts";

const env = { TOKEN: "canary-token-of-the-owner" };
let folder: string;
let path: string;
let applied: Snapshot[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-config-"));
  path = join(folder, "fairlead.yaml");
  applied = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const configOf = (more = "", upstream = ""): string =>
  `upstreams:\n  a: { preset: vllm, baseUrl: "http://127.0.0.1:9/v1", models: [{ id: m }]${upstream} }\n${more}`;

async function started(text: string, more: Partial<FileConfigParts> = {}): Promise<FileConfigControl> {
  writeFileSync(path, text);
  const loaded = await loadOrMakeConfig({ config: path }, env, false);
  return new FileConfigControl({
    path,
    loaded,
    resolve: async (from) => from.resolve(),
    snapshot: async (resolved) => resolved as unknown as Snapshot,
    gateway: () => ({ apply: (snapshot: Snapshot) => applied.push(snapshot) }) as unknown as Gateway,
    ...more,
  });
}

test("a plan never shows what a variable holds", async () => {
  const control = await started(configOf());
  const plan = await control.plan(configOf("aliases: { x: a/m }\n", ', headers: { x-a: "${TOKEN}" }'));
  expect(plan.problems).toEqual([]);
  expect(plan.changes.map(({ path }) => path).toSorted()).toEqual(["aliases.x", "upstreams.a.headers"]);
  expect(JSON.stringify(plan)).toContain("${TOKEN}");
  expect(JSON.stringify(plan)).not.toContain("canary");
});

test("what needs a restart is told until there was one", async () => {
  const control = await started(configOf());
  const text = configOf("storage: { retentionDays: 30 }\n");
  expect((await control.plan(text)).restartNeeded).toEqual(["storage.retentionDays"]);
  await control.apply(text, "one");
  expect(control.current()).toEqual({ version: "one", text });
  expect(await control.plan(text)).toMatchObject({ changes: [], restartNeeded: ["storage.retentionDays"] });
  expect((await control.plan(configOf())).restartNeeded).toEqual([]);
});

test("a file that was changed by hand is not overwritten, unless what it says is applied", async () => {
  const control = await started(configOf());
  const byHand = configOf("aliases: { hand: a/m }\n");
  writeFileSync(path, byHand);
  await expect(control.apply(configOf("aliases: { api: a/m }\n"), "one")).rejects.toThrow("changed by other means");
  expect(readFileSync(path, "utf8")).toBe(byHand);
  expect(applied).toEqual([]);
  await control.apply(byHand, "two");
  expect(applied.length).toBe(1);
  await control.apply(configOf(), "three");
  expect(readFileSync(path, "utf8")).toBe(configOf());
});

test("the version of a file is another after an edit and a restart, and the same without an edit", async () => {
  const before = await started(configOf());
  expect((await started(configOf())).current().version).toBe(before.current().version);
  expect((await started(configOf("aliases: { x: a/m }\n"))).current().version).not.toBe(before.current().version);
});

test("a config that names another data folder takes no key from the one in use", async () => {
  const dir = join(folder, "data");
  mkdirSync(dir);
  writeFileSync(join(dir, "admin-token"), "canary-token");
  const control = await started(configOf(`storage: { dir: ${dir} }\n`));
  const key = `, auth: { type: bearer, key: { file: ${join(dir, "admin-token")} } }`;
  const { problems } = await control.plan(configOf(`storage: { dir: ${folder}/other }\n`, key));
  expect(problems.map(({ message }) => message).join()).toContain("own data folder");
});

test("a history keeps no secret that the file has written out", async () => {
  const text = configOf("", ", auth: { type: bearer, key: canary-key }");
  expect((await started(text)).kept()).not.toContain("canary");
  expect((await started(configOf())).kept()).toBe(configOf());
});

test("other processes of the gateway are told once it is in force here, and changes wait for their turn", async () => {
  const told: unknown[] = [];
  let turns = 0;
  const control = await started(configOf(), {
    others: {
      alone(change) {
        turns++;
        return change();
      },
      async inForce(config) {
        told.push({ ...config, applied: applied.length });
      },
    },
  });
  const text = configOf("aliases: { x: a/m }\n");
  await control.exclusively(() => control.apply(text, "one"));
  expect(told).toEqual([{ text, version: "one", applied: 1 }]);
  writeFileSync(path, configOf());
  await control.exclusively(() => control.reload(false));
  expect(told.at(-1)).toEqual({ text: configOf(), version: control.current().version, applied: 2 });
  expect(turns).toBe(2);
});

test("what another process put in force is followed without a word, whatever the file says", async () => {
  const told: unknown[] = [];
  const others = {
    alone: <T>(change: () => Promise<T>) => change(),
    inForce: async (config: unknown) => void told.push(config),
  };
  const control = await started(configOf(), { others });
  const text = configOf("aliases: { x: a/m }\n");
  await control.adopt(text, "one");
  expect(control.current()).toEqual({ version: "one", text });
  expect(applied).toHaveLength(1);
  expect(told).toEqual([]);
  await expect(control.adopt("upstreams: [", "two")).rejects.toThrow();
  expect(control.current().version).toBe("one");
  // The file differs from what is in force by now, so it is read.
  expect((await control.reload(false))?.changes.map((change) => change.path)).toEqual(["aliases.x"]);
});

test("a process that is started again begins with what is in force", async () => {
  const text = configOf("aliases: { x: a/m }\n");
  const control = await started(configOf(), { inForce: { text, version: "seven" } });
  expect(control.current()).toEqual({ version: "seven", text });
});
