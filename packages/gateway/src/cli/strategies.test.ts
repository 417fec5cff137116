import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { builtInStrategies } from "@fairlead/contract/routing-names";
import { parseConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import { CommandError } from "./command-error.ts";
import { runStrategies } from "./strategies.ts";

const upstreams = "upstreams: { v: { preset: vllm, models: [{ id: m }] } }\n";
const own = `${upstreams}strategies:
  hybrid: { settings: { maxQueueDepth: 3 } }
  mine: { description: My own., rules: [{ name: all, prefer: {} }] }
`;

function run(text: string, options: { name?: string; json?: boolean } = {}): string {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-"));
  try {
    const config = join(folder, "fairlead.yaml");
    writeFileSync(config, text);
    return runStrategies({ config, env: {}, json: false, ...options }).output;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("fairlead strategies", () => {
  test("lists built-in ones with their other names, without a config too", () => {
    const lines = runStrategies({ json: false, env: {} }).output.split("\n");
    expect(lines).toHaveLength(builtInStrategies.length + 1);
    expect(lines.find((line) => line.startsWith("fast "))).toMatch(/^fast +latency +built-in +The target /);
  });

  test("lists the config's own, and which built-in ones it changes", () => {
    const lines = run(own).split("\n");
    expect(lines.find((line) => line.startsWith("mine "))).toMatch(/^mine +- +config +My own\.$/);
    expect(lines.find((line) => line.startsWith("hybrid "))).toMatch(/^hybrid +- +config +Local/);
    expect(lines.find((line) => line.startsWith("cost "))).toMatch(/^cost +- +built-in /);
  });

  test.each([...builtInStrategies, "mine"])("prints %s as it may be pasted under `strategies`", (name) => {
    const printed = run(own, { name });
    expect(printed).toStartWith(`  ${name}:\n    `);
    const pasted = `${upstreams}strategies:\n${printed}\n`;
    const { config, source } = parseConfig(pasted, "f.yaml", {});
    const { strategies } = resolveCatalogue(config, { source, env: {} }).catalogue;
    expect(strategies.get(name)?.origin).toBe("config");
    expect(strategies.get(name)?.rules.length).toBe(config.strategies[name]?.rules?.length as number);
  });

  test("shows settings that the config lays over", () => {
    expect(run(own, { name: "hybrid" })).toContain("maxQueueDepth: 3 # requests that wait");
  });

  test("knows other names", () => {
    expect(run(own, { name: "latency" })).toStartWith("  fast:\n");
  });

  test("answers in JSON, one or all", () => {
    expect(JSON.parse(run(own, { name: "mine", json: true }))).toEqual({
      name: "mine",
      aliases: [],
      description: "My own.",
      origin: "config",
      settings: {},
      control: null,
      rules: [{ name: "all", prefer: {} }],
    });
    const all = JSON.parse(run(own, { json: true })) as { name: string; aliases: string[] }[];
    expect(all.find(({ name }) => name === "local_first")?.aliases).toEqual(["cluster_first"]);
  });

  test("a name nobody has is told with one like it", () => {
    expect(() => run(own, { name: "hybird" })).toThrow(CommandError);
    expect(() => run(own, { name: "hybird" })).toThrow("did you mean `hybrid`?");
  });
});
