import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { operator } from "../setup/admin.ts";
import { runBun } from "../setup/child-process.ts";
import { say } from "../setup/clients.ts";
import { type GatewayProcess, gatewayProgram, startGateway } from "../setup/gateway-process.ts";
import {
  askAt,
  type HybridSimulators,
  hybridConfig,
  hybridEnv,
  on,
  reached,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { tempDir, tempFile } from "../setup/temp-dir.ts";

let simulators: HybridSimulators;
let gateway: GatewayProcess;
let call: ReturnType<typeof operator>;
let path: string;
let base: string;

const working = `
strategies:
  support:
    rules:
      - name: short
        when: request.promptTokens < 100
        prefer: { targets: [claude-haiku-4-5-20251001] }
      - name: rest
        prefer: { placement: local }
`;

beforeAll(async () => {
  simulators = await startHybridSimulators();
  const dir = tempDir();
  base = stringify({ ...hybridConfig(simulators), storage: { dir } });
  path = join(tempDir(), "fairlead.yaml");
  writeFileSync(path, base + working);
  gateway = await startGateway({ args: ["--config", path], env: hybridEnv });
  call = operator(gateway, dir);
});

/** Rules at the file's end, with what is wrong in them, and the text at whose place it must be reported. */
const broken: [string, string, RegExp, string][] = [
  [
    "a condition that is no expression",
    "strategies:\n  support:\n    rules:\n      - name: a\n        when: request.promptTokens <\n        prefer: {}\n",
    /when|expression|unexpected/i,
    "request.promptTokens <",
  ],
  [
    "a fact that does not exist",
    "strategies:\n  support:\n    rules:\n      - name: a\n        when: request.promptTokenz > 5\n        prefer: {}\n",
    /promptTokens/,
    "request.promptTokenz",
  ],
  [
    "a fact compared with the wrong kind",
    "strategies:\n  support:\n    rules:\n      - name: a\n        when: request.promptTokens > 'many'\n        prefer: {}\n",
    /number|int|double|kind|compare/i,
    "request.promptTokens > 'many'",
  ],
  [
    "a condition that can never hold",
    "strategies:\n  support:\n    rules:\n      - name: a\n        when: request.promptTokens > 100 && request.promptTokens < 50\n        prefer: {}\n      - name: b\n        prefer: {}\n",
    /never/,
    "request.promptTokens > 100",
  ],
  [
    "a task that does not exist",
    "strategies:\n  support:\n    rules:\n      - name: a\n        when: { request.task: translating }\n        prefer: {}\n      - name: b\n        prefer: {}\n",
    /translation|never/,
    "translating",
  ],
  [
    "a rule that nothing reaches",
    "strategies:\n  support:\n    rules:\n      - name: all\n        prefer: {}\n      - name: late\n        prefer: { placement: cloud }\n",
    /all|reach/,
    "name: late",
  ],
  [
    "an unknown target",
    "strategies:\n  support:\n    rules:\n      - name: a\n        prefer: { targets: [claude-opus-4-9] }\n",
    /claude-opus-4-8/,
    "claude-opus-4-9",
  ],
  [
    "a tag nobody has",
    "strategies:\n  support:\n    rules:\n      - name: a\n        prefer: { tags: [premuim] }\n",
    /premium|premuim/,
    "premuim",
  ],
  [
    "a setting that a built-in strategy does not have",
    "strategies:\n  hybrid:\n    settings: { maxQueueDept: 3 }\n",
    /maxQueueDepth/,
    "maxQueueDept",
  ],
  ["an unknown strategy of a route", "models:\n  mine: { strategy: hybird }\n", /hybrid/, "hybird"],
  [
    "an unknown field of a rule",
    "strategies:\n  support:\n    rules:\n      - name: a\n        perfer: {}\n",
    /prefer/,
    "perfer",
  ],
];

/** Line and column of a text in a file, from 1. */
function placeOf(text: string, part: string): { line: number; column: number } {
  const at = text.lastIndexOf(part);
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

const stillRuns = async () => {
  const served = await askAt(gateway.url, say("Hi", { routing: { strategy: "support" } }));
  expect(served).toMatchObject({ status: 200, target: on.haiku });
  expect((await reached(simulators)).at(-1)).toBe(on.haiku);
};

describe.each(broken)("%s", (_, rules, told, at) => {
  test("is refused at load, with line and column", async () => {
    const text = base + rules;
    const { line } = placeOf(text, at);
    const file = tempFile("fairlead.yaml", text);
    const { ending, stdout, stderr } = await runBun(gatewayProgram, ["config", "check", file], { env: hybridEnv });
    const output = stdout + stderr;
    expect(ending, output).toBe(2);
    expect(output).toMatch(new RegExp(`fairlead\\.yaml:${line}:\\d+ `));
    expect(output).toMatch(told);
    expect(output).not.toMatch(/\bat .+\.ts:\d+/);
  });

  test("is refused by a running gateway, which goes on as it was", async () => {
    const { json: before } = await call("GET", "/config");
    const refused = await call("POST", "/config/apply", { text: base + rules });
    expect(refused.status).toBe(400);
    expect(refused.json.error.message).toMatch(told);
    expect((await call("GET", "/config")).json).toEqual(before);
    await stillRuns();
  });
});

test("an unknown strategy as the config's own is refused, with the near name", async () => {
  const text = stringify({ ...hybridConfig(simulators), routing: { strategy: "ballanced" } });
  const file = tempFile("fairlead.yaml", text);
  const { ending, stdout, stderr } = await runBun(gatewayProgram, ["config", "check", file], { env: hybridEnv });
  expect(ending).toBe(2);
  expect(stdout + stderr).toMatch(
    new RegExp(`fairlead\\.yaml:${placeOf(text, "ballanced").line}:${placeOf(text, "ballanced").column} .*balanced`),
  );
});

test("a right one is taken at once after all those", async () => {
  const text = base + working.replace("claude-haiku-4-5-20251001", "claude-opus-4-8");
  expect((await call("POST", "/config/apply", { text })).status).toBe(200);
  const served = await askAt(gateway.url, say("Hi", { routing: { strategy: "support" } }));
  expect(served).toMatchObject({ status: 200, target: on.opus });
});
