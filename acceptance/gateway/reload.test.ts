import { mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { operator } from "../setup/admin.ts";
import { runBun } from "../setup/child-process.ts";
import { dataLines, openaiClient, postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, gatewayProgram, startGateway } from "../setup/gateway-process.ts";
import { askFor } from "../setup/money.ts";
import {
  canaries,
  canaryEnv,
  localModel,
  openaiModel,
  startSimulators,
  type Upstreams,
  usualConfig,
} from "../setup/rig.ts";
import { startSteadyLoad } from "../setup/steady-load.ts";
import { tempDir } from "../setup/temp-dir.ts";

interface Started {
  readonly gateway: GatewayProcess;
  readonly path: string;
  readonly dir: string;
  readonly call: ReturnType<typeof operator>;
}

let simulators: Upstreams;

beforeAll(async () => {
  simulators = await startSimulators();
});

/** A config whose name `fast` means this model. */
function textOf(dir: string, fast: string, more: object = {}): string {
  const config = { ...usualConfig(simulators), storage: { dir }, aliases: { fast }, ...more };
  return `# Written by hand.\n${stringify(config)}`;
}

async function start(more: object = {}, lay?: (path: string, text: string) => void): Promise<Started> {
  const [folder, dir] = [tempDir(), tempDir()];
  const path = join(folder, "fairlead.yaml");
  (lay ?? writeFileSync)(path, textOf(dir, openaiModel, more));
  const gateway = await startGateway({ args: ["--config", path], env: canaryEnv });
  return { gateway, path, dir, call: operator(gateway, dir) };
}

const records = ({ gateway }: Started, event: string) =>
  gateway.child.records.filter((record) => record["event"] === event);

/** Resolves when so many reloads were told of. */
async function reloads(it: Started, count: number): Promise<void> {
  await it.gateway.child.until(
    () => (records(it, "config_reloaded").length >= count ? true : undefined),
    `${count} reloads`,
  );
}

async function targetOf(it: Started, model = "fast"): Promise<string | null> {
  const response = await postChat(it.gateway.url, say("Hi", { model }));
  await response.text();
  return response.status === 200 ? response.headers.get("x-router-target") : `status ${response.status}`;
}

/** Puts a text where a ConfigMap would: in a new folder, to which the link `..data` is moved by a rename. */
function swap(path: string, text: string): void {
  const folder = dirname(path);
  const version = `..${Math.random().toString(36).slice(2)}`;
  mkdirSync(join(folder, version));
  writeFileSync(join(folder, version, basename(path)), text);
  let old: string | undefined;
  try {
    old = readlinkSync(join(folder, "..data"));
  } catch {
    symlinkSync(join("..data", basename(path)), path);
  }
  symlinkSync(version, join(folder, "..data_tmp"));
  renameSync(join(folder, "..data_tmp"), join(folder, "..data"));
  if (old !== undefined) rmSync(join(folder, old), { recursive: true });
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.swp`, text);
  renameSync(`${path}.swp`, path);
}

describe("a changed file comes into force", () => {
  test.each([
    ["written in place", writeFileSync, writeFileSync],
    ["replaced by a rename", writeFileSync, replace],
    ["swapped as a ConfigMap", swap, swap],
  ])("%s", async (_, lay, change) => {
    const it = await start({}, lay);
    expect(await targetOf(it)).toBe(`openai/${openaiModel}`);
    const text = textOf(it.dir, localModel);
    change(it.path, text);
    await reloads(it, 1);
    expect(await targetOf(it)).toBe(`vllm/${localModel}`);
    const { json } = await it.call("GET", "/config");
    expect(json.text).toBe(text);
    const { json: audit } = await it.call("GET", "/audit");
    expect(audit.data[0]).toMatchObject({
      actor: "config file",
      action: "config.reloaded",
      subject: `config:${json.version}`,
    });
  });

  test("by SIGHUP alone where the file is not watched", async () => {
    const it = await start({ server: { watchConfig: false } });
    writeFileSync(it.path, textOf(it.dir, localModel, { server: { watchConfig: false } }));
    expect(await targetOf(it)).toBe(`openai/${openaiModel}`);
    it.gateway.child.process.kill("SIGHUP");
    await reloads(it, 1);
    expect(await targetOf(it)).toBe(`vllm/${localModel}`);
  });

  test("and `fairlead config diff` tells before what it would change", async () => {
    const it = await start({ server: { watchConfig: false } });
    const diff = async () => {
      const args = ["config", "diff", it.path, "--url", it.gateway.url, "--dir", it.dir];
      const { ending, stdout } = await runBun(gatewayProgram, args, { env: canaryEnv });
      return { ending, lines: stdout.trim().split("\n") };
    };
    expect(await diff()).toEqual({ ending: 0, lines: ["They say the same."] });
    writeFileSync(it.path, textOf(it.dir, localModel, { server: { watchConfig: false, port: 1 } }));
    expect(await diff()).toEqual({
      ending: 1,
      lines: [`~ aliases.fast: "${openaiModel}" → "${localModel}"`, "+ server.port: 1"],
    });
    it.gateway.child.process.kill("SIGHUP");
    await reloads(it, 1);
    expect((await diff()).ending).toBe(0);
    writeFileSync(it.path, "colour: red");
    expect((await diff()).ending).toBe(2);
    await it.gateway.stop();
    expect((await diff()).ending).toBe(2);
  });

  test("also when only a mounted secret changed", async () => {
    const secret = join(tempDir(), "key");
    swap(secret, "wrong-key");
    const upstreams = { ...usualConfig(simulators).upstreams };
    upstreams["vllm"] = { ...upstreams["vllm"], auth: { type: "bearer", key: { file: secret } } };
    const only = { upstreams, routing: { fallback: [], autoCloud: [], longContext: [] } };
    const it = await start(only);
    expect(await targetOf(it, localModel)).toBe("status 502");
    swap(secret, `${canaries.local}\n`);
    await reloads(it, 1);
    expect(await targetOf(it, localModel)).toBe(`vllm/${localModel}`);
  });
});

test("a file with faults is told of once and the config before serves on; put right it comes into force", async () => {
  const it = await start();
  writeFileSync(
    it.path,
    `${textOf(it.dir, localModel)}limits: { one: { scope: { key: "*" }, requestsPerMinute: many } }\n`,
  );
  const alert = await it.gateway.child.record((record) => record["event"] === "operator_alert", "the alert");
  expect(alert).toMatchObject({ code: "config_rejected" });
  expect(String(alert["message"])).toMatch(/limits\.one\.requestsPerMinute: .*many.*expected.*number/);
  expect(await targetOf(it)).toBe(`openai/${openaiModel}`);
  rmSync(it.path);
  await it.gateway.child.until(() => (records(it, "operator_alert").length > 1 ? true : undefined), "another alert");
  expect(await targetOf(it)).toBe(`openai/${openaiModel}`);
  writeFileSync(it.path, textOf(it.dir, localModel));
  await reloads(it, 1);
  expect(await targetOf(it)).toBe(`vllm/${localModel}`);
  expect(records(it, "operator_alert").length).toBe(2);
});

test("what the admin API applies after a reload is based on the reloaded file", async () => {
  const it = await start();
  writeFileSync(it.path, textOf(it.dir, localModel));
  await reloads(it, 1);
  const { json: before } = await it.call("GET", "/config");
  const text = textOf(it.dir, openaiModel);
  const { status, text: told } = await it.call("POST", "/config/apply", { text, base_version: before.version });
  expect(status, told).toBe(200);
  expect(await targetOf(it)).toBe(`openai/${openaiModel}`);
  // The gateway's own write is no change of the file.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(records(it, "config_reloaded").length).toBe(1);
});

test("level, key and drain times follow; what needs a restart is named", async () => {
  const it = await start({ auth: { key: "first-key" } });
  const ask = async (key: string): Promise<number> => {
    const response = await postChat(it.gateway.url, say("Hi"), { authorization: `Bearer ${key}` });
    await response.text();
    return response.status;
  };
  expect([await ask("first-key"), await ask("second-key")]).toEqual([200, 401]);
  const more = { auth: { key: "second-key" }, logging: { level: "warn" }, server: { port: 1, drainDelayMs: 0 } };
  writeFileSync(it.path, textOf(it.dir, openaiModel, more));
  // `--port` says more than the file does; at `warn` the reload itself is not told.
  await expect.poll(() => ask("second-key"), { timeout: 5_000 }).toBe(200);
  expect(await ask("first-key")).toBe(401);
  writeFileSync(it.path, textOf(it.dir, openaiModel, { ...more, admin: { sessionHours: 3 } }));
  const { paths } = await it.gateway.child.record(
    (record) => record["event"] === "restart_needed",
    "what needs a restart",
  );
  expect(paths).toEqual(["admin.sessionHours"]);
  const decisions = records(it, "route_decision").length;
  await ask("second-key");
  const startedAt = performance.now();
  await it.gateway.stop();
  expect(performance.now() - startedAt).toBeLessThan(900);
  expect(records(it, "route_decision").length).toBe(decisions);
});

test("breakers, running streams and what they hold of a budget survive a reload", async () => {
  const budgets = { all: { scope: "total", limitUsd: 5 } };
  const routing = { breaker: { failures: 2 }, retriesPerTarget: 0, fallback: [localModel] };
  const it = await start({ budgets, routing });
  await simulators.openai.setFault({ spec: "status=500", times: 2 });
  const status = async (): Promise<string> =>
    JSON.stringify(await (await fetch(`${it.gateway.url}/health/upstreams`)).json());
  for (let i = 0; i < 2; i++) await targetOf(it, openaiModel);
  const running = await postChat(it.gateway.url, askFor(150, { model: localModel, stream: true }, "[[sim:pace=20]]"));
  expect(await status()).toContain('"open"');
  const held = async (): Promise<number> => (await it.call("GET", "/budgets")).json.data[0].current.held_usd;
  writeFileSync(it.path, textOf(it.dir, localModel, { budgets, routing }));
  await reloads(it, 1);
  expect(await status()).toContain('"open"');
  expect(dataLines(await running.text()).at(-1)).toBe("[DONE]");
  await expect.poll(held).toBe(0);
});

test("no request fails while the file is rewritten over and over, in every way, under load", async () => {
  const it = await start({}, swap);
  const load = startSteadyLoad(openaiClient(it.gateway.url, { maxRetries: 0 }), { model: "fast", clients: 8 });
  const ways = [
    ["ConfigMap", swap],
    ["rename", replace],
    ["in-place", writeFileSync],
    ["SIGHUP", writeFileSync],
  ] as const;
  for (const [name, change] of ways) {
    for (let i = 0; i < 20; i++) {
      change(it.path, textOf(it.dir, i % 2 === 0 ? localModel : openaiModel));
      if (name === "SIGHUP") it.gateway.child.process.kill("SIGHUP");
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    const told = records(it, "config_reloaded").length;
    change(it.path, textOf(it.dir, openaiModel, { limits: { [name]: { scope: { key: "*" }, concurrency: 1_000 } } }));
    await reloads(it, told + 1);
  }
  const { sent, failed } = await load.stop();
  expect(failed).toEqual([]);
  expect(sent).toBeGreaterThan(100);
  expect(records(it, "operator_alert")).toEqual([]);
}, 40_000);
