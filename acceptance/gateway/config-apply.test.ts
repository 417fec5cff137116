import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { findBun } from "../../scripts/bun.mjs";
import { operator } from "../setup/admin.ts";
import { Child, repository } from "../setup/child-process.ts";
import { dataLines, postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, gatewayArgs, gatewayProgram, startGateway } from "../setup/gateway-process.ts";
import { askFor } from "../setup/money.ts";
import { testWith } from "../setup/requires.ts";
import {
  canaries,
  canaryEnv,
  claudeModels,
  localModel,
  openaiModel,
  startSimulators,
  type Upstreams,
  usualConfig,
} from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const haiku = claudeModels[2];

interface Started {
  readonly gateway: GatewayProcess;
  readonly path: string;
  readonly dir: string;
  readonly text: string;
  readonly call: ReturnType<typeof operator>;
}

let simulators: Upstreams;
let it: Started;

/** A config whose name `fast` means this model. */
function configText(fast: string, more: object = {}, dir = it.dir): string {
  const config = { ...usualConfig(simulators), storage: { dir }, aliases: { fast }, ...more };
  return `# Written by hand.\n${stringify(config)}`;
}

async function start(): Promise<Started> {
  const [folder, dir] = [tempDir(), tempDir()];
  const path = join(folder, "fairlead.yaml");
  const text = configText(openaiModel, {}, dir);
  writeFileSync(path, text, { mode: 0o640 });
  const gateway = await startGateway({ args: ["--config", path], env: canaryEnv });
  return { gateway, path, dir, text, call: operator(gateway, dir) };
}

beforeAll(async () => {
  simulators = await startSimulators();
  it = await start();
});

async function targetOf(model = "fast"): Promise<string | null> {
  const response = await postChat(it.gateway.url, say("Hi", { model }));
  await response.text();
  return response.status === 200 ? response.headers.get("x-router-target") : `status ${response.status}`;
}

async function apply(text: string, more: object = {}): Promise<string> {
  const { status, json, text: told } = await it.call("POST", "/config/apply", { text, ...more });
  expect(status, told).toBe(200);
  return json.version;
}

describe("reading", () => {
  test("shows the file with its comments and references, and no secret", async () => {
    const { json } = await it.call("GET", "/config");
    expect(json).toEqual({ version: expect.stringMatching(/^[0-9a-f]+$/), text: it.text });
    for (const secret of Object.values(canaries)) expect(json.text).not.toContain(secret);
  });

  test("hides what somebody wrote out in the file itself", async () => {
    const [folder, dir] = [tempDir(), tempDir()];
    const path = join(folder, "fairlead.yaml");
    const upstreams = usualConfig(simulators).upstreams ?? {};
    const vllm = { ...upstreams["vllm"], auth: { type: "bearer", key: canaries.local } };
    const openai = { ...upstreams["openai"], auth: { type: "bearer", key: `\${NOT_SET:-${canaries.openai}}` } };
    writeFileSync(path, configText(openaiModel, { upstreams: { ...upstreams, vllm, openai } }, dir));
    const gateway = await startGateway({ args: ["--config", path], env: canaryEnv });
    const { text } = await operator(gateway, dir)("GET", "/config");
    expect(text).toContain("[secret]");
    expect(text).not.toContain(canaries.local);
    expect(text).not.toContain(canaries.openai);
    expect(text).toContain("# Written by hand.");
  });
});

describe("checking", () => {
  const problemsOf = async (text: string): Promise<{ path: string; message: string; line: number | null }[]> => {
    const { status, json } = await it.call("POST", "/config/validate", { text });
    expect(status).toBe(200);
    expect(json.valid).toBe(json.problems.length === 0);
    return json.problems;
  };

  test("names the place, the value and what was expected, for every problem at once", async () => {
    const text =
      it.text.replace("backoffMs: 1", "backoffMs: soon") + "budgets:\n  day: { scope: total, limitUsd: -5 }\n";
    const problems = await problemsOf(text);
    const lines = text.split("\n");
    expect(problems.map(({ path }) => path).sort()).toEqual(["budgets.day.limitUsd", "routing.backoffMs"]);
    const backoff = problems.find(({ path }) => path === "routing.backoffMs");
    expect(backoff?.message).toMatch(/soon.*expected.*number/);
    expect(lines[(backoff?.line ?? 0) - 1]).toContain("backoffMs: soon");
    expect(problems.find(({ path }) => path === "budgets.day.limitUsd")?.message).toMatch(/-5.*expected/);
  });

  test("finds unknown fields, unset variables and text that is no YAML", async () => {
    expect((await problemsOf(`${it.text}colour: red\n`))[0]).toMatchObject({ path: "colour" });
    const [unset] = await problemsOf(it.text.replace("${LOCAL_API_KEY}", "${NOT_THERE}"));
    expect(unset).toMatchObject({ path: "upstreams.vllm.auth.key", message: expect.stringContaining("NOT_THERE") });
    expect((await problemsOf("a: [1,\nb")).length).toBeGreaterThan(0);
    expect(await problemsOf(it.text)).toEqual([]);
  });

  test("refuses a secret that is written out, without repeating it", async () => {
    for (const secret of [canaries.local, `\${NOT_SET:-${canaries.local}}`]) {
      const text = it.text.replace("${LOCAL_API_KEY}", secret);
      const validated = await it.call("POST", "/config/validate", { text });
      expect(validated.json.valid, secret).toBe(false);
      expect(validated.json.problems[0].path).toBe("upstreams.vllm.auth.key");
      expect(validated.text).not.toContain(canaries.local);
      const applied = await it.call("POST", "/config/apply", { text });
      expect(applied.status).toBe(400);
      expect(applied.text).not.toContain(canaries.local);
    }
    expect(readFileSync(it.path, "utf8")).toBe(it.text);
    expect((await it.call("GET", "/config/versions")).json.data).toEqual([]);
  });

  test("plans what would change and what needs a restart, and changes nothing", async () => {
    const text = configText(haiku, {
      storage: { dir: it.dir, retentionDays: 30 },
      limits: { each: { scope: { key: "*" }, concurrency: 9 } },
    });
    const { json } = await it.call("POST", "/config/plan", { text });
    expect(json).toMatchObject({ valid: true, problems: [], restart_needed: ["storage.retentionDays"] });
    const changes = Object.fromEntries(json.changes.map(({ path, ...change }: { path: string }) => [path, change]));
    expect(changes["aliases.fast"]).toEqual({ change: "changed", before: openaiModel, after: haiku });
    expect(changes["limits.each"] ?? changes["limits.each.concurrency"]).toMatchObject({ change: "added" });
    expect(changes["storage.retentionDays"]).toEqual({ change: "added", before: null, after: 30 });
    expect(Object.keys(changes).length).toBe(3);
    expect(readFileSync(it.path, "utf8")).toBe(it.text);
    expect(await targetOf()).toBe(`openai/${openaiModel}`);
  });
});

describe("applying", () => {
  test("routes anew at once, leaves a running stream alone, and writes the file as it came", async () => {
    const running = await postChat(it.gateway.url, askFor(40, { model: "fast", stream: true }, "[[sim:pace=15]]"));
    expect(running.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
    const text = configText(haiku);
    const { json: before } = await it.call("GET", "/config");
    const version = await apply(text, { note: "try haiku", base_version: before.version });
    const { json: versions } = await it.call("GET", "/config/versions");
    expect(versions.data.map(({ id }: { id: string }) => id)).toEqual([version, before.version]);
    expect((await it.call("GET", `/config/versions/${before.version}`)).json.text).toBe(before.text);
    expect(await targetOf()).toBe(`anthropic/${haiku}`);
    const lines = dataLines(await running.text());
    expect(lines.at(-1)).toBe("[DONE]");
    const contents = lines.slice(0, -1).map((line) => JSON.parse(line).choices[0]?.delta.content ?? "");
    expect(contents.filter((content) => content !== "").length).toBe(40);
    expect(readFileSync(it.path, "utf8")).toBe(text);
    expect(statSync(it.path).mode & 0o777).toBe(0o640);
    expect((await it.call("GET", "/config")).json).toEqual({ version, text });
  });

  test("takes an upstream away without breaking what runs on it", async () => {
    const running = await postChat(it.gateway.url, askFor(30, { stream: true }, "[[sim:pace=15]]"));
    expect(running.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
    const { openai: _, ...upstreams } = usualConfig(simulators).upstreams ?? {};
    await apply(configText(haiku, { upstreams, routing: { unknownModel: "reject" } }));
    expect(await targetOf(openaiModel)).toBe("status 404");
    expect(dataLines(await running.text()).at(-1)).toBe("[DONE]");
    await apply(configText(haiku));
    expect(await targetOf(openaiModel)).toBe(`openai/${openaiModel}`);
  });

  test("puts budgets and limits in force, and takes them away", async () => {
    const { call, gateway } = it;
    const ask = async (): Promise<number> => (await postChat(gateway.url, askFor(3))).status;
    await apply(configText(haiku, { budgets: { none: { scope: "total", limitUsd: 0, onExhausted: "refuse" } } }));
    expect(await ask()).toBe(402);
    expect((await call("GET", "/budgets")).json.data).toMatchObject([{ name: "none", source: "config" }]);
    await apply(configText(haiku, { limits: { one: { scope: { key: "*" }, requestsPerMinute: 1 } } }));
    expect(await ask()).toBe(200);
    expect(await ask()).toBe(429);
    await apply(configText(haiku));
    expect(await ask()).toBe(200);
    expect((await call("GET", "/budgets")).json.data).toEqual([]);
  });

  test("counts a budget that comes back from what was spent until that moment", async () => {
    const { call, gateway } = it;
    const spent = async (): Promise<number> => (await call("GET", "/budgets")).json.data[0].current.spent_usd;
    const exact = { overrides: [{ model: openaiModel, provider: "openai", input: 10, output: 1_000 }] };
    const text = configText(haiku, {
      budgets: { day: { scope: { tag: "counted" }, limitUsd: 1_000 } },
      pricing: exact,
    });
    let expected = 0;
    for (const config of [text, configText(haiku, { pricing: exact }), text]) {
      await apply(config);
      const answer = await postChat(gateway.url, askFor(9), { "x-router-tags": "counted" });
      expected += Number(answer.headers.get("x-router-cost-usd"));
    }
    expect(expected).toBeGreaterThan(0.027);
    expect(await spent()).toBeCloseTo(expected, 9);
    await apply(configText(haiku));
  });

  test("is refused when somebody else was faster, or when the text is wrong, and leaves all as it was", async () => {
    const { json } = await it.call("GET", "/config");
    const late = await it.call("POST", "/config/apply", { text: configText(openaiModel), base_version: "older" });
    expect(late.status).toBe(409);
    const wrong = await it.call("POST", "/config/apply", {
      text: json.text.replace("backoffMs: 1", "backoffMs: soon"),
    });
    expect(wrong.status).toBe(400);
    expect(wrong.json.error.message).toContain("routing.backoffMs");
    expect((await it.call("GET", "/config")).json).toEqual(json);
    expect(readFileSync(it.path, "utf8")).toBe(json.text);
    expect(await targetOf()).toBe(`anthropic/${haiku}`);
  });

  test("puts one of several in force that are based on the same config", async () => {
    const { json } = await it.call("GET", "/config");
    const answers = await Promise.all(
      [openaiModel, haiku, localModel, openaiModel].map((model, i) =>
        it.call("POST", "/config/apply", { text: `${configText(model)}# ${i}\n`, base_version: json.version }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    expect((await it.call("GET", "/config")).json.version).toBe(winner?.json.version);
  });

  test("leaves a file alone that was edited by hand, until its own text is applied", async () => {
    const running = readFileSync(it.path, "utf8");
    const byHand = `${running}# By hand.\n`;
    writeFileSync(it.path, byHand);
    expect((await it.call("POST", "/config/apply", { text: configText(haiku) })).status).toBe(409);
    expect(readFileSync(it.path, "utf8")).toBe(byHand);
    await apply(byHand);
    await apply(configText(haiku));
  });

  test("takes no key from the gateway's own folder", async () => {
    const openai = {
      ...usualConfig(simulators).upstreams?.["openai"],
      auth: { type: "bearer", key: { file: join(it.dir, "admin-token") } },
    };
    const upstreams = { ...usualConfig(simulators).upstreams, openai };
    const refused = await it.call("POST", "/config/apply", { text: configText(haiku, { upstreams }) });
    expect(refused.status).toBe(400);
    expect(refused.json.error.message).toContain("own data folder");
  });

  test("is kept in a history that can be gone back in, and in the audit log", async () => {
    const { call } = it;
    const first = await apply(configText(localModel), { note: "local for now" });
    expect(await targetOf()).toBe(`vllm/${localModel}`);
    await apply(configText(openaiModel), { note: "and back" });
    expect(await targetOf()).toBe(`openai/${openaiModel}`);
    const versions = (await call("GET", "/config/versions")).json.data;
    expect(versions.slice(0, 2).map(({ note }: { note: string }) => note)).toEqual(["and back", "local for now"]);
    expect((await call("GET", `/config/versions/${first}`)).json).toEqual({
      version: first,
      text: configText(localModel),
    });
    const back = await call("POST", `/config/versions/${first}/roll-back`);
    expect(back.status).toBe(200);
    expect(await targetOf()).toBe(`vllm/${localModel}`);
    expect(readFileSync(it.path, "utf8")).toBe(configText(localModel));
    const [newest] = (await call("GET", "/config/versions")).json.data;
    expect(newest).toMatchObject({ id: back.json.version, note: `roll back to ${first}` });
    const { json } = await call("GET", "/audit?limit=3");
    expect(json.data.map(({ action }: { action: string }) => action)).toEqual([
      "config.rolled_back",
      "config.applied",
      "config.applied",
    ]);
    expect((await call("POST", "/config/versions/none/roll-back")).status).toBe(404);
  });

  test("lasts over a restart", async () => {
    await apply(configText(haiku));
    await it.gateway.stop();
    const gateway = await startGateway({ args: ["--config", it.path], env: canaryEnv });
    it = { ...it, gateway, call: operator(gateway, it.dir) };
    expect(await targetOf()).toBe(`anthropic/${haiku}`);
    expect((await it.call("GET", "/config")).json.text).toBe(configText(haiku));
    expect((await it.call("GET", "/config/versions")).json.data.length).toBeGreaterThan(5);
  });
});

describe("a file that may only be read", () => {
  const isRoot = process.getuid?.() === 0;

  testWith(
    "setpriv",
    !isRoot || existsSync("/usr/bin/setpriv"),
    "is not changed: the answer says where to",
    async () => {
      const [folder, dir] = [tempDir(), tempDir()];
      const path = join(folder, "fairlead.yaml");
      const text = configText(openaiModel, {}, dir);
      writeFileSync(path, text);
      chmodSync(path, 0o444);
      chmodSync(folder, 0o555);
      chmodSync(dir, 0o777);
      // Nothing is read-only for root.
      const asNobody = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
      const args = [join(repository, gatewayProgram), ...gatewayArgs({ args: ["--config", path] })];
      const [command = "", ...rest] = [...asNobody, findBun(), ...args];
      const child = new Child(command, rest, { env: canaryEnv, cwd: dir });
      try {
        const { url } = await child.record((record) => record["event"] === "listening", "the gateway's address");
        const call = operator({ url: String(url), child, stop: () => child.stop() }, dir);
        const { json: before } = await call("GET", "/config");
        expect(before.text).toBe(text);
        const refused = await call("POST", "/config/apply", { text: configText(haiku, {}, dir) });
        expect(refused.status).toBe(409);
        expect(refused.json.error).toMatchObject({
          code: "conflict",
          message: expect.stringContaining("cannot be written"),
        });
        expect((await call("GET", "/config")).json).toEqual(before);
        expect((await call("GET", "/config/versions")).json.data).toEqual([]);
        const answer = await postChat(String(url), say("Hi", { model: "fast" }));
        expect(answer.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
      } finally {
        await child.stop();
        chmodSync(folder, 0o755);
      }
    },
  );
});
