import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import { runConfigCheck } from "./config-check.ts";
import { runImportLitellm } from "./import-litellm.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-import-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Report {
  readonly written: boolean;
  readonly variables: Readonly<Record<string, string>>;
  readonly unmapped: readonly { readonly path: string; readonly why: string }[];
  readonly problems?: readonly { readonly path: string; readonly what: string; readonly expected: string }[];
}

/** Imports a text, and reads what was written with fake values for every variable it names. */
function imported(yaml: string) {
  const path = join(folder, "litellm.yaml");
  const out = join(folder, "fairlead.yaml");
  writeFileSync(path, yaml);
  const { exitCode, output } = runImportLitellm({ path, out, json: true, force: true });
  const report = JSON.parse(output) as Report;
  const fake = (name: string) =>
    /BASE|URL/.test(name) ? "https://upstream.example.com" : `fake-${name.toLowerCase()}`;
  const env = Object.fromEntries(Object.keys(report.variables ?? {}).map((name) => [name, fake(name)]));
  const load = () => {
    const { config, source } = loadConfig(out, env);
    return { config, resolved: resolveCatalogue(config, { source, env }) };
  };
  const lost = (report.unmapped ?? []).map(({ path: where }) => where);
  return { exitCode, report, lost, load, env, out, text: () => readFileSync(out, "utf8") };
}

const usual = `
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
  - model_name: gpt-4o
    litellm_params:
      model: azure/gpt-4o-eu
      api_base: https://my-endpoint.openai.azure.com/
      api_version: "2024-08-01-preview"
      api_key: os.environ/AZURE_API_KEY
      rpm: 600
      tpm: 100_000
  - model_name: claude-sonnet
    litellm_params:
      model: anthropic/claude-sonnet-4-6
      api_key: os.environ/ANTHROPIC_API_KEY
      timeout: 300
      stream_timeout: 20
      temperature: 0.2
  - model_name: local-qwen
    litellm_params:
      model: hosted_vllm/Qwen/Qwen2.5-7B-Instruct
      api_base: http://vllm.inference.svc.cluster.local:8000/v1
      input_cost_per_token: 0.0000001
      output_cost_per_token: 0.0000003
    model_info:
      max_input_tokens: 32768
      max_output_tokens: 4096
  - model_name: llama
    litellm_params: { model: ollama_chat/llama3.1, api_base: "http://192.168.1.20:11434" }
  - model_name: embeddings
    litellm_params: { model: openai/text-embedding-3-small }
    model_info: { mode: embedding }
  - model_name: bedrock-claude
    litellm_params: { model: bedrock/anthropic.claude-3-sonnet-20240229-v1:0, aws_region_name: us-east-1 }
litellm_settings:
  drop_params: true
  num_retries: 3
  request_timeout: 600
  fallbacks: [{ gpt-4o: [claude-sonnet, local-qwen] }, { nobody: [gpt-4o] }]
  context_window_fallbacks: [{ local-qwen: [claude-sonnet] }]
  success_callback: [langfuse]
  max_budget: 100
  budget_duration: 30d
router_settings:
  routing_strategy: least-busy
  model_group_alias: { gpt-4: gpt-4o, old: missing }
  provider_budget_config:
    openai: { budget_limit: 50, time_period: 1d }
  allowed_fails: 4
  cooldown_time: 30
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
  database_url: os.environ/DATABASE_URL
`;

describe("import litellm", () => {
  test("writes a config that passes the check, with targets, names and fallbacks as they were", async () => {
    const it = imported(usual);
    expect(it.exitCode).toBe(0);
    const { config, resolved } = it.load();
    const targets = (name: string) => resolved.catalogue.names.get(name)?.targets.map(({ id }) => id as string);
    expect(targets("gpt-4o")).toEqual(["openai/gpt-4o", "my-endpoint/gpt-4o-eu"]);
    expect(targets("gpt-4")).toEqual(["openai/gpt-4o", "my-endpoint/gpt-4o-eu"]);
    expect(targets("claude-sonnet")).toEqual(["anthropic/claude-sonnet-4-6"]);
    expect(targets("local-qwen")).toEqual(["vllm/Qwen/Qwen2.5-7B-Instruct"]);
    expect(targets("llama")).toEqual(["ollama/llama3.1"]);
    const fallback = resolved.catalogue.names.get("gpt-4o")?.fallback?.map(({ id }) => id as string);
    expect(fallback).toEqual(["anthropic/claude-sonnet-4-6", "vllm/Qwen/Qwen2.5-7B-Instruct"]);
    expect(resolved.catalogue.unknownModel).toBe("reject");
    expect(resolved.catalogue.fallback).toEqual([]);
    expect(config.routing).toMatchObject({ retriesPerTarget: 3, breaker: { failures: 4, cooldownMs: 30_000 } });
    const checked = await runConfigCheck({ path: it.out, env: it.env });
    expect(checked).toMatchObject({ exitCode: 0 });
  });

  test("keeps addresses, keys, times, limits, prices and budgets", () => {
    const it = imported(usual);
    const { config, resolved } = it.load();
    const upstream = (name: string) => resolved.upstreams.find((candidate) => candidate.name === name);
    expect(upstream("my-endpoint")).toMatchObject({
      baseUrl: "https://my-endpoint.openai.azure.com/openai/v1",
      auth: { type: "header", name: "api-key" },
      placement: "cloud",
    });
    expect(upstream("anthropic")).toMatchObject({
      baseUrl: "https://api.anthropic.com/v1",
      timeouts: { totalMs: 300_000, firstContentMs: 20_000 },
    });
    expect(upstream("vllm")).toMatchObject({ placement: "local", timeouts: { totalMs: 600_000 } });
    expect(upstream("ollama")?.baseUrl).toBe("http://192.168.1.20:11434/v1");
    expect(config.limits).toMatchObject({
      "my-endpoint": { scope: { upstream: "my-endpoint" }, requestsPerMinute: 600, tokensPerMinute: 100_000 },
    });
    expect(config.pricing.overrides).toMatchObject([
      { model: "Qwen/Qwen2.5-7B-Instruct", upstream: "vllm", input: 0.1, output: 0.3 },
    ]);
    expect(config.upstreams["vllm"]?.models?.[0]).toMatchObject({ contextWindow: 32_768, maxOutputTokens: 4_096 });
    expect(config.budgets).toMatchObject({
      total: { scope: "total", limitUsd: 100, window: "month", onExhausted: "refuse" },
      openai: { scope: { provider: "openai" }, limitUsd: 50, window: "day" },
    });
    expect(config.auth.key).toEqual({ env: "LITELLM_MASTER_KEY" });
    expect(Object.keys(it.report.variables).sort()).toEqual([
      "ANTHROPIC_API_KEY",
      "AZURE_API_KEY",
      "LITELLM_MASTER_KEY",
      "OPENAI_API_KEY",
    ]);
  });

  test("reports all that did not map, by where it stands", () => {
    expect(imported(usual).lost.sort()).toEqual([
      "general_settings.database_url",
      "litellm_settings.budget_duration",
      "litellm_settings.context_window_fallbacks",
      "litellm_settings.fallbacks: nobody",
      "litellm_settings.success_callback",
      "model_list[1].litellm_params.api_base",
      "model_list[2].litellm_params.temperature",
      "model_list[5].model_info.mode",
      "model_list[6].litellm_params.model",
      "router_settings.model_group_alias.old",
      "router_settings.routing_strategy",
    ]);
  });

  test("copies no secret that stands in the file, and names the variable to set instead", () => {
    const it = imported(`
model_list:
  - { model_name: a, litellm_params: { model: openai/gpt-4o, api_key: sk-literal-one } }
  - model_name: b
    litellm_params:
      model: openai/own
      api_base: https://models.example.com/v1
      api_key: sk-literal-two
      extra_headers: { x-api-token: sk-literal-three, x-team: blue }
general_settings: { master_key: sk-1234 }
`);
    const { resolved } = it.load();
    expect(it.text() + JSON.stringify(it.report)).not.toMatch(/sk-/);
    expect(it.lost.sort()).toEqual([
      "general_settings.master_key",
      "model_list[0].litellm_params.api_key",
      "model_list[1].litellm_params.api_key",
      "model_list[1].litellm_params.extra_headers.x-api-token",
    ]);
    expect(Object.keys(it.report.variables)).toEqual(["OPENAI_API_KEY", "MODELS_API_KEY", "FAIRLEAD_API_KEY"]);
    expect(resolved.upstreams[1]).toMatchObject({
      name: "models",
      headers: { "x-team": "blue" },
      auth: { type: "bearer" },
    });
  });

  test("leaves the password of an address and its query out, and says so", async () => {
    const { report, load, out, env, text, lost } = imported(`
model_list:
  - model_name: one
    litellm_params: { model: openai/one, api_base: "https://me:canary@one.example.com/v1?key=canary" }
`);
    expect(load().config.upstreams["one"]?.baseUrl).toBe("https://one.example.com/v1");
    expect(text()).not.toContain("canary");
    expect(JSON.stringify(report)).not.toContain("canary");
    expect(lost).toEqual(["model_list[0].litellm_params.api_base", "model_list[0].litellm_params.api_base"]);
    expect((await runConfigCheck({ path: out, env })).exitCode).toBe(0);
  });

  test("says where thirty days became a month", () => {
    const budget = (duration: string) =>
      imported(usual.replace("budget_duration: 30d", `budget_duration: ${duration}`));
    const thirty = budget("30d");
    expect(thirty.load().config.budgets["total"]?.window).toBe("month");
    expect(thirty.lost).toContain("litellm_settings.budget_duration");
    expect(budget("1mo").lost).not.toContain("litellm_settings.budget_duration");
  });

  test("gives a group of deployments with limits an upstream each, and equal ones one", () => {
    const entry = (more: string) =>
      `  - { model_name: m, litellm_params: { model: groq/llama-3.3-70b-versatile, api_key: os.environ/GROQ_API_KEY${more} } }\n`;
    const it = imported(`model_list:\n${entry("")}${entry("")}${entry(", rpm: 10")}${entry(", rpm: 20")}`);
    const { config, resolved } = it.load();
    expect(resolved.catalogue.names.get("m")?.targets.map(({ id }) => id as string)).toEqual([
      "groq/llama-3.3-70b-versatile",
      "groq-2/llama-3.3-70b-versatile",
      "groq-3/llama-3.3-70b-versatile",
    ]);
    expect(Object.values(config.limits).map(({ requestsPerMinute }) => requestsPerMinute)).toEqual([10, 20]);
  });

  test("keeps keys apart that differ, limits beside the parameters, and what a model can do", () => {
    const it = imported(`
model_list:
  - { model_name: m, litellm_params: { model: gpt-4o, api_key: sk-one }, rpm: 3, tpm: 20_000 }
  - { model_name: m, litellm_params: { model: gpt-4o, api_key: sk-two } }
  - { model_name: n, litellm_params: { model: gpt-4.1, api_key: sk-one } }
  - model_name: llava
    litellm_params: { model: openai/llava, api_base: "http://localhost:8000/v1" }
    model_info: { supports_vision: True, supports_function_calling: true }
`);
    const { config, resolved } = it.load();
    expect(it.report.variables).toEqual({ OPENAI_API_KEY: "key of openai", OPENAI_API_KEY_2: "key of openai" });
    expect(config.limits).toMatchObject({ openai: { requestsPerMinute: 3, tokensPerMinute: 20_000 } });
    const named = (name: string) => resolved.catalogue.names.get(name)?.targets ?? [];
    expect(named("m").map(({ id }) => id as string)).toEqual(["openai/gpt-4o", "openai-2/gpt-4o"]);
    expect(named("n").map(({ id }) => id as string)).toEqual(["openai-3/gpt-4.1"]);
    expect([...(named("llava")[0]?.capabilities ?? [])]).toEqual(["tools", "json_schema", "vision"]);
  });

  test("serves what Fairlead knows of a provider where a pattern meant all of it", () => {
    const it = imported(`
model_list:
  - { model_name: "anthropic/*", litellm_params: { model: "anthropic/*" } }
  - { model_name: "together_ai/*", litellm_params: { model: "together_ai/*" } }
`);
    const { resolved } = it.load();
    expect(resolved.catalogue.names.get("claude-sonnet-4-6")).toBeDefined();
    expect(it.lost).toEqual(["model_list[0].model_name", "model_list[1].litellm_params.model"]);
  });

  test("avoids names that mean something here", () => {
    const it = imported(`
model_list:
  - { model_name: auto, litellm_params: { model: gpt-4o } }
  - { model_name: local, litellm_params: { model: gpt-4o } }
  - { model_name: "two words", litellm_params: { model: gpt-4o } }
  - { model_name: openai/gpt-4o, litellm_params: { model: gpt-4o } }
  - { model_name: claude, litellm_params: { model: claude-opus-4-8 } }
`);
    const { resolved } = it.load();
    expect(it.lost).toEqual(["model_list: auto", "model_list: local", "model_list: two words"]);
    expect(resolved.catalogue.names.get("openai/gpt-4o")?.targets[0]?.id as string).toBe("openai-api/gpt-4o");
  });

  test("takes an address from the environment", () => {
    const it = imported(`
model_list:
  - { model_name: m, litellm_params: { model: azure/m, api_base: os.environ/AZURE_API_BASE, api_key: os.environ/AZURE_API_KEY } }
`);
    const { resolved } = it.load();
    expect(resolved.upstreams[0]?.baseUrl).toBe("https://upstream.example.com/openai/v1");
  });

  test("names path, value and expectation of what is wrong, and writes nothing", () => {
    const it = imported(`
model_list:
  - { model_name: "", litellm_params: { model: gpt-4o, rpm: many } }
  - { model_name: b }
litellm_settings: { fallbacks: { a: b } }
`);
    expect(it.exitCode).toBe(2);
    expect(it.report.problems).toMatchObject([
      { path: "model_list[1].litellm_params", what: "is missing", expected: "a mapping" },
      { path: "model_list[0].model_name", what: '"" is not valid', expected: "some text" },
      { path: "model_list[0].litellm_params.rpm", what: '"many" is not valid', expected: "a number" },
      { path: "litellm_settings.fallbacks", what: "a mapping is not valid", expected: "a list" },
    ]);
    expect(it.text).toThrow("ENOENT");
  });

  test("says so when nothing can be served, and never replaces a file unasked", () => {
    const none = imported("model_list: [{ model_name: a, litellm_params: { model: sagemaker/x } }]");
    expect(none.exitCode).toBe(2);
    expect(none.report.written).toBe(false);
    const path = join(folder, "litellm.yaml");
    const out = join(folder, "mine.yaml");
    writeFileSync(path, usual);
    writeFileSync(out, "mine");
    const refused = runImportLitellm({ path, out });
    expect(refused).toEqual({
      exitCode: 2,
      output: `${out}: exists already: expected a new file, or \`--force\` to replace this one`,
    });
    expect(readFileSync(out, "utf8")).toBe("mine");
    expect(runImportLitellm({ path: join(folder, "absent.yaml"), out })).toMatchObject({ exitCode: 2 });
  });

  test("tells a person what to do next", () => {
    const path = join(folder, "litellm.yaml");
    const out = join(folder, "fairlead.yaml");
    writeFileSync(path, usual);
    const { output } = runImportLitellm({ path, out });
    expect(output).toContain(`${out}: 5 upstreams, 5 public names.`);
    expect(output).toContain("Set in the environment:\n  OPENAI_API_KEY  key of openai");
    expect(output).toContain("model_list[6].litellm_params.model: the provider `bedrock` has no counterpart");
  });
});
