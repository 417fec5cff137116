import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runConfigCheck } from "./config-check.ts";

const examples = new URL("../../../../examples/", import.meta.url).pathname;
const env = {
  ANTHROPIC_API_KEY: "fake-anthropic",
  OPENAI_API_KEY: "fake-openai",
  GEMINI_API_KEY: "fake-gemini",
  FAIRLEAD_API_KEY: "fake-fairlead",
  FAIRLEAD_WEBHOOK_SECRET: "fake-webhook-secret-of-32-characters",
  VERTEX_ACCESS_TOKEN: "fake-vertex",
};

describe("examples", () => {
  const names = readdirSync(examples).filter((name) => name.endsWith(".yaml"));
  test("are there", () => {
    for (const name of ["cost-optimised.yaml", "performance-optimised.yaml", "three-clouds.yaml"])
      expect(names).toContain(name);
  });

  for (const name of names) {
    test(`${name} is valid, without a warning, and names its schema`, async () => {
      const { exitCode, output } = await runConfigCheck({ path: join(examples, name), env, json: true });
      expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
      const checked = JSON.parse(output) as { warnings: unknown[]; names: Record<string, string[]> };
      expect(checked.warnings).toEqual([]);
      expect(checked.names["local"]?.length).toBeGreaterThan(0);
      expect(output).not.toContain("fake-");
      const [line] = readFileSync(join(examples, name), "utf8").split("\n");
      expect(line).toBe("# yaml-language-server: $schema=../packages/contract/fairlead.schema.json");
    });
  }
});

describe("config check", () => {
  const check = async (text: string, json = false) => {
    const folder = mkdtempSync(join(tmpdir(), "fairlead-"));
    const path = join(folder, "fairlead.yaml");
    try {
      writeFileSync(path, text);
      const { exitCode, output } = await runConfigCheck({ path, env: {}, json });
      return { exitCode, output: output.replaceAll(path, "fairlead.yaml") };
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("a good file says what it makes", async () => {
    const { exitCode, output } = await check("upstreams: { v: { preset: vllm, models: [{ id: m }] } }");
    expect(exitCode).toBe(0);
    expect(output).toBe("fairlead.yaml is valid: 1 upstream, 1 deployment, 3 public names");
  });

  test("a wrong file ends with 2, in words and as JSON", async () => {
    expect(await check("modles: {}\nserver: { port: -1 }")).toEqual({
      exitCode: 2,
      output: [
        "fairlead.yaml:1:1 modles: is not a known key: expected one of $schema, server, auth, logging, upstreams, models, aliases, strategies, routing, storage, shared, pricing, budgets, limits, webhooks, admin; did you mean `models`?",
        "fairlead.yaml:2:17 server.port: -1 is not valid: expected a whole number from 0 to 65535",
        "",
        "fairlead.yaml has 2 problems.",
      ].join("\n"),
    });
    const { exitCode, output } = await check("server: { port: -1 }", true);
    expect(exitCode).toBe(2);
    expect(JSON.parse(output)).toEqual({
      valid: false,
      file: "fairlead.yaml",
      problems: [
        {
          path: "server.port",
          what: "-1 is not valid",
          value: "-1",
          expected: "a whole number from 0 to 65535",
          line: 1,
          column: 17,
        },
      ],
    });
  });

  test.each(["", "# all commented out", "upstreams: {}", "upstreams:\n  # vllm:\n", "server: { port: 80 }"])(
    "a file that serves nothing is wrong: %j",
    async (text) => {
      const { exitCode, output } = await check(text);
      expect(exitCode).toBe(2);
      expect(output).toMatch(
        /^fairlead\.yaml:\d+:\d+ upstreams: is empty: expected at least one upstream, so that requests have somewhere to go\n/,
      );
    },
  );

  test("a file that is not there is a wrong file", async () => {
    const { exitCode, output } = await runConfigCheck({ path: "/nonexistent.yaml", env: {} });
    expect(exitCode).toBe(2);
    expect(output).toContain("does not exist");
  });
});
