import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import type { Snapshot } from "../build-gateway.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import { GatewayError } from "../core/errors.ts";
import { systemRandomness } from "../lib/ids.ts";
import { MemoryDirectory } from "../stores/memory/memory-directory.ts";
import { ConfigReload } from "./config-reload.ts";
import { FileConfigControl } from "./file-config-control.ts";
import { loadOrMakeConfig } from "./load.ts";

let folder: ReturnType<typeof tempDir>;
let path: string;
beforeEach(() => {
  folder = tempDir();
  path = join(folder.path, "fairlead.yaml");
});
afterEach(() => folder[Symbol.dispose]());

const textOf = (more = "", upstream = ""): string =>
  `upstreams:\n  a: { preset: vllm, baseUrl: "http://127.0.0.1:9/v1", models: [{ id: m }]${upstream} }\n${more}`;

async function rig(text: string) {
  writeFileSync(path, text);
  const loaded = await loadOrMakeConfig({ config: path }, {}, false);
  const applied: ResolvedConfig[] = [];
  const alerts: GatewayError[] = [];
  const logged: object[] = [];
  let storeDown = false;
  const control = new FileConfigControl({
    path,
    loaded,
    async resolve(from) {
      if (storeDown) throw new GatewayError("store_unavailable", "The store is down.");
      return from.resolve();
    },
    snapshot: async (resolved) => resolved as unknown as Snapshot,
    gateway: () => ({ apply: (snapshot) => void applied.push(snapshot as unknown as ResolvedConfig) }),
  });
  const directory = new MemoryDirectory({ clock: new FakeClock(), randomness: systemRandomness() });
  const clock = new FakeClock();
  const log = (fields: object): void => void logged.push(fields);
  const reload = new ConfigReload({
    path,
    control,
    directory,
    clock,
    logger: { info: log, warn: log } as never,
    alert: (error) => void alerts.push(error),
    changed: async () => {},
  });
  const actions = async (): Promise<string[]> =>
    (await directory.list("audit", { limit: 100 })).items.map(({ action, actor }) => `${action} by ${actor}`);
  const setStore = (down: boolean): void => {
    storeDown = down;
  };
  return { control, reload, applied, alerts, logged, actions, setStore, directory, clock };
}

test("what the file says comes into force, with its version, a line in the log and one in the audit log", async () => {
  const { control, reload, applied, logged, actions, directory } = await rig(textOf());
  const text = textOf("aliases: { x: a/m }\nstorage: { retentionDays: 7 }\n");
  writeFileSync(path, text);
  expect(await reload.reload(false)).toBe("done");
  expect(applied.length).toBe(1);
  const { version } = control.current();
  expect(control.current().text).toBe(text);
  expect(logged[0]).toMatchObject({
    event: "config_reloaded",
    version,
    changes: ["aliases.x", "storage.retentionDays"],
  });
  expect(logged).toContainEqual({ event: "restart_needed", paths: ["storage.retentionDays"] });
  expect(await actions()).toEqual(["config.reloaded by config file"]);
  expect((await directory.get("config", version))?.text).toBe(text);
  // An apply after it is no conflict.
  await control.apply(textOf(), "next");
});

test("a file that says the same is read again only for its secrets", async () => {
  const { reload, applied } = await rig(textOf());
  await reload.reload(false);
  expect(applied.length).toBe(0);
  await reload.reload(true);
  expect(applied.length).toBe(1);
});

test("a file with a fault changes nothing and is told of once, with place, value and expectation", async () => {
  const { control, reload, applied, alerts } = await rig(textOf());
  const before = control.current();
  writeFileSync(path, textOf("routing: { backoffMs: soon }\n"));
  expect(await reload.reload(false)).toBe("done");
  await reload.reload(false);
  expect(alerts.map(({ code }) => code)).toEqual(["config_rejected"]);
  expect(alerts[0]?.message).toMatch(/fairlead\.yaml:3:\d+ routing\.backoffMs: .*soon.*expected.*number/);
  expect(applied.length).toBe(0);
  expect(control.current()).toEqual(before);
  writeFileSync(path, textOf());
  await reload.reload(false);
  expect(applied.length).toBe(1);
});

test.each([
  ["no YAML", "a: [1,\nb"],
  ["an unknown name", textOf("aliases: { x: nobody/knows }\n")],
  ["a variable that is not set", textOf("", ", auth: { type: bearer, key: '${NOT_THERE}' }")],
  ["a secret's file that is missing", textOf("", ", auth: { type: bearer, key: { file: /not/there } }")],
  ["nothing at all", ""],
])("%s is refused and the last good config stays", async (_, text) => {
  const { reload, applied, alerts } = await rig(textOf());
  writeFileSync(path, text);
  expect(await reload.reload(false)).toBe("done");
  expect(applied.length).toBe(0);
  expect(alerts.length).toBe(1);
});

test("a deleted file is told of, and is in force again when it is back", async () => {
  const { reload, applied, alerts } = await rig(textOf());
  rmSync(path);
  await reload.reload(false);
  expect(alerts[0]?.message).toContain("does not exist");
  writeFileSync(path, textOf("aliases: { x: a/m }\n"));
  await reload.reload(false);
  expect(applied.length).toBe(1);
});

test("the files of secrets are watched, also those that only a refused file names", async () => {
  const [one, two] = [join(folder.path, "one"), join(folder.path, "two")];
  writeFileSync(one, "first");
  const key = (file: string): string => `, auth: { type: bearer, key: { file: ${file} } }`;
  const { control, reload, applied } = await rig(textOf("", key(one)));
  expect(control.files()).toEqual([path, one]);
  writeFileSync(path, textOf("", key(two)));
  await reload.reload(false);
  expect(applied.length).toBe(0);
  expect(control.files()).toContain(two);
  writeFileSync(two, "second");
  await reload.reload(true);
  expect(applied.length).toBe(1);
  const [{ auth } = { auth: undefined }] = applied[0]?.upstreams ?? [];
  expect(auth?.type === "bearer" && auth.key.reveal()).toBe("second");
  expect(control.files()).toEqual([path, two]);
});

test("a store that does not answer is asked again", async () => {
  const { reload, applied, alerts, setStore } = await rig(textOf());
  setStore(true);
  writeFileSync(path, textOf("aliases: { x: a/m }\n"));
  expect(await reload.reload(false)).toBe("again");
  expect(alerts.length).toBe(1);
  setStore(false);
  expect(await reload.reload(false)).toBe("done");
  expect(applied.length).toBe(1);
});

test("what somebody asked for is tried until the store answers", async () => {
  const { reload, applied, setStore, clock } = await rig(textOf());
  setStore(true);
  await reload.readAgain();
  await clock.advance(10_000);
  expect([applied.length, clock.waiting]).toEqual([0, 1]);
  setStore(false);
  await clock.advance(5_000);
  expect([applied.length, clock.waiting]).toEqual([1, 0]);
});

test("a socket that others reach is not opened to strangers by a file that moves it", async () => {
  const open = textOf('server: { host: "0.0.0.0" }\nauth: { key: only-for-friends }\n');
  const { reload, applied, alerts } = await rig(open);
  writeFileSync(path, textOf('server: { host: "127.0.0.1" }\n'));
  await reload.reload(false);
  expect(applied.length).toBe(0);
  expect(alerts[0]?.message).toContain("no key protects this gateway");
});
