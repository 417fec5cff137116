import { afterEach, describe, expect, test } from "bun:test";
import { discover } from "./discover.ts";
import { acceptConfig } from "./load-config.ts";
import { resolveCatalogue } from "./resolve-catalogue.ts";
import { completeBaseUrl, parseDuration, type Spot, zeroConfig } from "./zero-config.ts";

const servers: { stop(force: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

function serve(routes: Record<string, unknown>, headers: Record<string, string> = {}): string {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const body = routes[new URL(request.url).pathname];
      if (body instanceof Response) return body.clone();
      if (body === undefined) return new Response("not found", { status: 404, headers });
      return typeof body === "string" ? new Response(body, { headers }) : Response.json(body, { headers });
    },
  });
  servers.push(server);
  return `http://127.0.0.1:${server.port}`;
}

/** An address where nothing listens. */
function closed(): string {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const origin = `http://127.0.0.1:${server.port}`;
  server.stop(true);
  return origin;
}

const vllm = {
  "/version": { version: "0.32.0" },
  "/v1/models": { data: [{ id: "Qwen/Qwen2.5-7B-Instruct", owned_by: "vllm", max_model_len: 32768 }] },
};
const ollama = {
  "/": "Ollama is running",
  "/api/version": { version: "0.20.0" },
  "/api/tags": { models: [{ name: "qwen2.5:7b" }] },
  "/v1/models": { data: [{ id: "qwen2.5:7b", owned_by: "library" }] },
};
const spot = (origin: string, label = "vLLM"): Spot => ({ label, origin });

describe("discovery", () => {
  const look = (origin: string) => discover(origin, (url, init) => fetch(url, init), 2_000);

  test("goes by the answers, whatever the port", async () => {
    expect(await look(serve(vllm))).toMatchObject({ kind: "server", preset: "vllm" });
    expect(await look(serve(ollama))).toMatchObject({ kind: "server", preset: "ollama" });
    const lmStudio = { id: "m", type: "llm", state: "loaded", compatibility_type: "gguf", loaded_context_length: 4096 };
    expect(await look(serve({ "/api/v0/models": { data: [lmStudio] } }))).toMatchObject({ preset: "lmstudio" });
    expect(await look(serve({ "/v1/models": { data: [{ id: "x" }] } }))).toMatchObject({ kind: "unknown-server" });
    expect(await look(serve({ "/": "<html>" }))).toEqual({ kind: "stranger" });
    expect(await look(closed())).toEqual({ kind: "nothing" });
  });

  test("never adopts another Fairlead", async () => {
    expect(await look(serve({ ...vllm, "/health/upstreams": { healthy_clusters: 1 } }))).toEqual({ kind: "fairlead" });
    expect(await look(serve(vllm, { "X-Router-Decision-Id": "d1" }))).toEqual({ kind: "fairlead" });
  });

  test("follows no redirect and reads no endless body", async () => {
    const target = serve(vllm);
    const redirect = (path: string) => new Response(null, { status: 307, headers: { location: target + path } });
    expect(await look(serve({ "/v1/models": redirect("/v1/models"), "/version": redirect("/version") }))).toEqual({
      kind: "stranger",
    });
    let pulled = 0;
    const endless = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              pulled += 65_536;
              controller.enqueue(new Uint8Array(65_536).fill(120));
            },
          }),
        ),
    });
    servers.push(endless);
    expect(await look(`http://127.0.0.1:${endless.port}`)).toEqual({ kind: "stranger" });
    expect(pulled).toBeLessThan(1_000_000_000);
  });

  test("gives up on a silent server at the deadline", async () => {
    const silent = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => {}) });
    servers.push(silent);
    expect(await discover(`http://127.0.0.1:${silent.port}`, (url, init) => fetch(url, init), 50)).toEqual({
      kind: "nothing",
    });
  });

  test("does not go through the process's proxy", async () => {
    const proxy = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("proxied", { status: 502 }) });
    servers.push(proxy);
    const url = `http://127.0.0.1:${proxy.port}`;
    const module = new URL("./discover.ts", import.meta.url).pathname;
    const script = `import { discover } from ${JSON.stringify(module)};
      const plain = await (await fetch(process.argv[1] + "/v1/models")).text();
      const found = await discover(process.argv[1], (u, i) => fetch(u, i), 2000);
      console.log(JSON.stringify({ plain, kind: found.kind }));`;
    const env = { ...process.env, HTTP_PROXY: url, http_proxy: url, ALL_PROXY: url, NO_PROXY: "", no_proxy: "" };
    const child = Bun.spawn([process.execPath, "-e", script, serve(vllm)], { env, stdout: "pipe", stderr: "inherit" });
    // The plain call shows that the proxy was really in force.
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual({ plain: "proxied", kind: "server" });
  });
});

describe("zero config", () => {
  test("uses what it finds and says so", async () => {
    const [found, empty] = [serve(ollama), closed()];
    const env = { ANTHROPIC_API_KEY: "secret-key", MISTRAL_API_KEY: "x", LOCAL_TOKEN_THRESHOLD: "3000" };
    const spots = [spot(found, "Ollama"), spot(empty)];
    const { config, findings, assumed } = await zeroConfig({ env, spots, deadlineMs: 2_000 });
    expect(assumed.size).toBe(0);
    expect(findings).toEqual([
      `found Ollama at ${found} serving qwen2.5:7b`,
      `looked for vLLM at ${empty}: nothing`,
      "ANTHROPIC_API_KEY set: using Anthropic",
      "OPENAI_API_KEY not set: OpenAI is not used",
      "GEMINI_API_KEY not set: Google Gemini is not used",
      "MISTRAL_API_KEY set: to use Mistral, add `preset: mistral` to a config file",
    ]);
    expect(JSON.stringify(config)).not.toContain("secret-key");
    const { catalogue } = resolveCatalogue(acceptConfig(config).config, { env });
    expect(catalogue.names.get("qwen2.5-7b")?.targets[0]?.id as string).toBe("ollama/qwen2.5:7b");
    expect(catalogue.names.get("cloud")?.targets[0]?.model).toBe("claude-opus-4-8");
    expect(catalogue.deployments[0]?.adequate).toEqual({ promptTokens: 3000, maxTokens: 1024 });
  });

  test("VLLM_BASE_URL works with and without /v1, and its spot is not looked at twice", async () => {
    const origin = serve(vllm);
    for (const base of [origin, `${origin}/`, `${origin}/v1`, `${origin}/v1/`]) {
      const env = { VLLM_BASE_URL: base, VLLM_HEALTH_TIMEOUT: "3" };
      const { config } = await zeroConfig({ env, spots: [spot(origin)] });
      expect(config.upstreams).toEqual({
        vllm: {
          preset: "vllm",
          baseUrl: `${origin}/v1`,
          health: { timeoutMs: 3000 },
          models: [{ id: "Qwen/Qwen2.5-7B-Instruct", contextWindow: 32768, adequate: {} }],
        },
      });
      expect(resolveCatalogue(acceptConfig(config).config, { env }).upstreams[0]?.health?.path).toBe("/health");
    }
  });

  test("a named server that sleeps is assumed, so that it can be woken later", async () => {
    const env = { VLLM_BASE_URL: closed(), FAIRLEAD_API_KEY: "k" };
    const { config, findings, assumed } = await zeroConfig({ env, spots: [] });
    expect(findings[0]).toContain("assuming that it serves qwen2.5-7b");
    expect([...assumed]).toEqual(["vllm"]);
    const resolved = resolveCatalogue(acceptConfig(config).config, { env, assumed });
    expect(resolved.catalogue.deployments[0]?.adoptModel).toBeDefined();
    expect(resolved.catalogue.names.get("local")?.targets[0]?.model).toBe("qwen2.5-7b");
    expect(resolved.auth.key?.reveal()).toBe("k");
  });

  test("variables that make no sense are refused, all at once", async () => {
    const env = { VLLM_BASE_URL: "vllm:8000", VLLM_HEALTH_TIMEOUT: "soon", LOCAL_TOKEN_THRESHOLD: "-1" };
    await expect(zeroConfig({ env, spots: [] })).rejects.toThrow(
      /VLLM_BASE_URL[\s\S]*VLLM_HEALTH_TIMEOUT[\s\S]*LOCAL_TOKEN_THRESHOLD/,
    );
  });
});

test("durations and base URLs", () => {
  expect(["2s", "500ms", "2", "2000", "0.5", "99", "100"].map(parseDuration)).toEqual([
    2000, 500, 2000, 2000, 500, 99000, 100,
  ]);
  expect(parseDuration("2m")).toBeUndefined();
  expect(completeBaseUrl("http://h:1/llm/v1/")).toEqual({ origin: "http://h:1/llm", baseUrl: "http://h:1/llm/v1" });
  expect(completeBaseUrl("ftp://h")).toBeUndefined();
});
