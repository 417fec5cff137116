import { expect, test } from "bun:test";
import { acceptConfig } from "../config/load-config.ts";
import { resolveCatalogue } from "../config/resolve-catalogue.ts";
import type { GetFetch } from "../upstreams/bounded-get.ts";
import { runDoctor } from "./doctor.ts";
import type { UpstreamReport } from "./upstream-checkup.ts";

const secret = "sk-top-secret";
const env = { OPENAI_API_KEY: secret, ANTHROPIC_API_KEY: secret, PERPLEXITY_API_KEY: secret };

function resolve(upstreams: Record<string, unknown>) {
  return resolveCatalogue(acceptConfig({ upstreams }).config, { env });
}

const list = (...ids: string[]) => Response.json({ data: ids.map((id) => ({ id })) });
const vllm = { preset: "vllm", models: [{ id: "qwen2.5-7b" }] };

async function report(upstream: unknown, answer: () => Response | Promise<Response>): Promise<UpstreamReport> {
  const fetch: GetFetch = async () => answer();
  const { output, exitCode } = await runDoctor({ resolved: resolve({ u: upstream }), fetch, json: true });
  expect(output).not.toContain(secret);
  const parsed = JSON.parse(output) as { ok: boolean; upstreams: UpstreamReport[] };
  expect(exitCode).toBe(parsed.ok ? 0 : 1);
  return parsed.upstreams[0]!;
}

const failing =
  (code: string, name = "Error") =>
  () => {
    throw Object.assign(new Error(`failed with ${secret}`), { code, name });
  };

test("all is well", async () => {
  expect(await report(vllm, () => list("qwen2.5-7b"))).toMatchObject({
    ok: true,
    reachable: true,
    key: "none",
    advice: [],
  });
  const gemini = { preset: "openai", models: [{ id: "gemini-2.5-flash" }] };
  expect(await report(gemini, () => list("models/gemini-2.5-flash"))).toMatchObject({ ok: true, key: "accepted" });
});

test("each failure has its own advice", async () => {
  const advice = async (upstream: unknown, answer: () => Response | Promise<Response>) =>
    (await report(upstream, answer)).advice[0];
  expect(await advice(vllm, failing("ConnectionRefused"))).toContain("nothing listens at 127.0.0.1:8000");
  expect(await advice(vllm, failing("ENOTFOUND"))).toContain("does not resolve");
  expect(await advice({ preset: "openai" }, failing("ENOTFOUND"))).toContain("set upstreams.u.proxy");
  expect(await advice({ preset: "openai" }, failing("SELF_SIGNED_CERT_IN_CHAIN"))).toContain("certificate");
  expect(await advice(vllm, failing("", "TimeoutError"))).toContain("did not answer within");
  expect(await advice(vllm, failing("ECONNRESET"))).toContain("closed the connection");
  expect(await advice({ preset: "openai" }, () => new Response("", { status: 401 }))).toContain(
    "upstreams.u.auth or OPENAI_API_KEY",
  );
  expect(await advice(vllm, () => new Response("", { status: 401 }))).toContain("it wants a key");
  const bare = { ...vllm, baseUrl: "http://127.0.0.1:8000" };
  expect(await advice(bare, () => new Response("", { status: 404 }))).toContain("try http://127.0.0.1:8000/v1");
  expect(await advice(vllm, () => new Response("", { status: 503 }))).toContain("loading");
  expect(await advice(vllm, () => new Response("", { status: 302 }))).toContain("redirects");
  expect(await advice(vllm, () => new Response("<html>"))).toContain("not with a models list");
  expect(await advice(vllm, () => list("qwen2.5-7b-instruct", "llama"))).toBe(
    "it does not list qwen2.5-7b; it has qwen2.5-7b-instruct",
  );
});

test("a preset's own model that is not listed is only remarked on", async () => {
  const found = await report({ preset: "anthropic" }, () => list("claude-opus-4-8", "claude-sonnet-4-6"));
  expect(found).toMatchObject({ ok: true, models: { configured: 3, missing: ["claude-haiku-4-5-20251001"] } });
  expect((await report({ preset: "perplexity" }, () => new Response("", { status: 404 }))).ok).toBe(true);
});

test("asks with the upstream's key and version header, directly and without redirects", async () => {
  const calls: { url: string; init: BunFetchRequestInit }[] = [];
  const fetch: GetFetch = async (url, init) => {
    calls.push({ url, init });
    return list();
  };
  await runDoctor({ resolved: resolve({ a: { preset: "anthropic" } }), fetch });
  expect(calls[0]?.url).toBe("https://api.anthropic.com/v1/models?limit=1000");
  expect(calls[0]?.init).toMatchObject({
    redirect: "manual",
    proxy: false,
    headers: { "x-api-key": secret, "anthropic-version": "2023-06-01" },
  });
});

test("asks a server without a preset the way its protocol is asked", async () => {
  const calls: { url: string; init: BunFetchRequestInit }[] = [];
  const fetch: GetFetch = async (url, init) => {
    calls.push({ url, init });
    return list("m");
  };
  const own = {
    placement: "local",
    protocol: "anthropic-messages",
    baseUrl: "http://127.0.0.1:9/v1",
    models: [{ id: "m" }],
  };
  await runDoctor({ resolved: resolve({ own }), fetch });
  expect(calls[0]?.url).toBe("http://127.0.0.1:9/v1/models?limit=1000");
  expect(calls[0]?.init.headers).toMatchObject({ "anthropic-version": "2023-06-01" });
});

test("the table shows every upstream, then what to do", async () => {
  const fetch: GetFetch = async (url) => (url.includes(":8000") ? list("qwen2.5-7b") : failing("ConnectionRefused")());
  const resolved = resolve({ vllm, ollama: { preset: "ollama", models: [{ id: "m" }] } });
  const { output, exitCode } = await runDoctor({ resolved, fetch });
  expect(exitCode).toBe(1);
  expect(
    output
      .replace(/\d+ ms/, "N ms")
      .split("\n")
      .slice(0, 3),
  ).toEqual([
    "UPSTREAM  PLACEMENT  STATE    REACHABLE  KEY   MODELS  LATENCY",
    "vllm      local      ok       yes        none  1/1     N ms",
    "ollama    local      problem  no         none  ?/1     -",
  ]);
  expect(output).toContain("ollama (http://127.0.0.1:11434/v1): nothing listens");
  expect(output).toEndWith("1 of 2 upstreams need attention.");
});
