import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import type { Snapshot } from "../build-gateway.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { GatewayError } from "../core/errors.ts";
import { loadOrMakeConfig } from "./load.ts";
import { RunningConfig } from "./running-config.ts";

const text = (more = "") => `
upstreams:
  own: { protocol: openai-chat, placement: local, baseUrl: "http://127.0.0.1:1/v1", models: [{ id: small }] }
  cloud:
    protocol: openai-chat
    placement: cloud
    baseUrl: "https://cloud.example/v1"
    auth: { type: bearer, key: { store: provider } }
    models: [{ id: large }]
aliases: { big: cloud/large }
routing: { fallback: [cloud/large] }
${more}`;

let folder: ReturnType<typeof tempDir>;
beforeEach(() => {
  folder = tempDir();
});
afterEach(() => folder[Symbol.dispose]());

/** Upstreams with the key each has, as they are in force. */
const shown = ({ upstreams }: Pick<ResolvedConfig, "upstreams">) =>
  upstreams.map(({ name, auth }) => `${name} ${auth.type === "none" ? "-" : auth.key.reveal()}`);

async function rig(more?: string) {
  const path = join(folder.path, "fairlead.yaml");
  writeFileSync(path, text(more));
  const loaded = await loadOrMakeConfig({ config: path }, {}, false);
  const clock = new FakeClock();
  const store: { down: boolean; values: Record<string, string> } = { down: false, values: {} };
  const applied: string[][] = [];
  const alerts: GatewayError[] = [];
  const running = new RunningConfig(loaded, {
    credentials: {
      name: "store",
      async read(name) {
        if (store.down) throw new Error("the store is down");
        return store.values[name];
      },
    },
    clock,
    snapshot: async (resolved) => ({ upstreams: resolved.upstreams }) as unknown as Snapshot,
    apply: (snapshot) => void applied.push(shown(snapshot)),
    warn() {},
    alert: (error) => void alerts.push(error),
  });
  return { loaded, clock, store, applied, alerts, running };
}

test("a store that is down leaves out what needs it; once it answers the whole config is in force", async () => {
  const { running, store, clock, applied, alerts } = await rig();
  store.down = true;
  store.values = { provider: "sk-1" };
  const resolved = await running.start();
  expect(shown(resolved)).toEqual(["own -"]);
  expect(resolved.warnings.join("\n")).toContain('upstreams.cloud.auth: the stored credential "provider"');
  expect(alerts.map(({ code }) => code)).toEqual(["store_unavailable"]);
  await clock.advance(2_000);
  expect(applied).toEqual([]);
  store.down = false;
  await clock.advance(60_000);
  expect(applied).toEqual([["own -", "cloud sk-1"]]);
  expect(clock.waiting).toBe(0);
});

test("a credential that does not exist leaves out its upstream until it is stored", async () => {
  const { running, store, applied, clock } = await rig();
  expect(shown(await running.start())).toEqual(["own -"]);
  store.values = { provider: "sk-1" };
  await running.refresh();
  store.values = { provider: "sk-2" };
  await running.refresh();
  expect(applied).toEqual([
    ["own -", "cloud sk-1"],
    ["own -", "cloud sk-2"],
  ]);
  expect(clock.waiting).toBe(0);
});

test("a store that goes down later takes nothing out of force, and is tried again until it is stopped", async () => {
  const { running, store, applied, clock } = await rig();
  store.values = { provider: "sk-1" };
  await running.start();
  store.down = true;
  await running.refresh();
  await clock.advance(600_000);
  expect(applied).toEqual([]);
  expect(clock.waiting).toBe(1);
  store.down = false;
  store.values = { provider: "sk-2" };
  await clock.advance(60_000);
  expect(applied).toEqual([["own -", "cloud sk-2"]]);
  store.down = true;
  await running.refresh();
  expect(clock.waiting).toBe(1);
  running.stop();
  expect(clock.waiting).toBe(0);
});

test("what else needs a stored credential still fails the start, and says which", async () => {
  const { running } = await rig("auth: { key: { store: clients } }");
  const failed = await running.start().catch(String);
  expect(failed).toContain("auth.key");
  expect(failed).toContain('"clients" does not exist, or cannot be read now');
});

test("it knows the credentials of the config that was applied last, and refreshes that one", async () => {
  const { running, store, applied, loaded } = await rig();
  store.values = { provider: "sk-1", other: "sk-2" };
  await running.start();
  expect(running.refersTo("provider")).toBe(true);
  const next = loaded.reread(text().replace("store: provider", "store: other"));
  running.apply(await running.snapshot(await running.resolve(next)));
  expect([running.refersTo("provider"), running.refersTo("other")]).toEqual([false, true]);
  await running.refresh();
  expect(applied).toEqual([
    ["own -", "cloud sk-2"],
    ["own -", "cloud sk-2"],
  ]);
});
