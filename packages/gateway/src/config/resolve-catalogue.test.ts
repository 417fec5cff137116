import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Deployment } from "../core/deployment.ts";
import { ConfigError } from "./config-error.ts";
import { acceptConfig, parseConfig } from "./load-config.ts";
import { type ResolvedConfig, type ResolveOptions, resolveCatalogue } from "./resolve-catalogue.ts";

const env = { ANTHROPIC_API_KEY: "ant-key", OPENAI_API_KEY: "oai-key" };
const files: Record<string, string> = { "/run/secrets/key": "from-a-file\n" };

function resolve(text: string, options: ResolveOptions = {}): ResolvedConfig {
  const given = { env, ...options };
  const { config, source } = parseConfig(text, "fairlead.yaml", given.env);
  const readFile = (path: string): string => {
    const found = files[path];
    if (found === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return found;
  };
  return resolveCatalogue(config, { source, readFile, ...given });
}

function problemsOf(text: string, options: ResolveOptions = {}): readonly string[] {
  try {
    resolve(text, options);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.message.split("\n");
  }
}

const ids = (deployments: readonly Deployment[] | undefined): readonly string[] => (deployments ?? []).map((d) => d.id);
const named = (resolved: ResolvedConfig, name: string) => ids(resolved.catalogue.names.get(name)?.targets);

const vllm =
  "  vllm: { preset: vllm, models: [{ id: Qwen/Qwen2.5-7B-Instruct, aliases: [qwen], contextWindow: 32768 }] }";
const hybrid = `upstreams:\n${vllm}\n  anthropic: { preset: anthropic }\n  openai: { preset: openai }\n`;

describe("upstreams", () => {
  test("a preset fills protocol, URL, auth, models and probe", () => {
    const { upstreams, catalogue } = resolve(hybrid);
    const [local, anthropic, openai] = upstreams;
    expect(local).toMatchObject({
      provider: "vllm",
      placement: "local",
      engine: "vllm",
      baseUrl: "http://127.0.0.1:8000/v1",
      auth: { type: "none" },
      health: { path: "/health", intervalMs: 2000, timeoutMs: 2000, authenticated: false },
      timeouts: { connectMs: 5000, totalMs: 600000 },
    });
    expect(anthropic).toMatchObject({
      protocol: "anthropic-messages",
      auth: { type: "header", name: "x-api-key" },
      health: {
        path: "/v1/models",
        intervalMs: 30000,
        authenticated: true,
        headers: { "anthropic-version": "2023-06-01" },
      },
    });
    expect(openai?.auth.type === "bearer" && openai.auth.key.reveal()).toBe("oai-key");
    const opus = catalogue.deployments.find((deployment) => deployment.model === "claude-opus-4-8");
    expect(opus).toMatchObject({ contextWindow: 1_000_000, maxOutputTokens: 128_000 });
    expect(opus?.capabilities.has("pdf")).toBe(true);
    expect(catalogue.deployments[0]?.capabilities.has("vision")).toBe(false);
  });

  test("without a preset everything needed must be said", () => {
    expect(
      problemsOf("upstreams: { mine: { models: [{ id: m }] } }").map((line) => line.split(": expected")[0]),
    ).toEqual([
      "fairlead.yaml:1:14 upstreams.mine.protocol: is missing",
      "fairlead.yaml:1:14 upstreams.mine.placement: is missing",
      "fairlead.yaml:1:14 upstreams.mine.baseUrl: is missing",
    ]);
    expect(problemsOf("upstreams: { v: { preset: vllm } }")[0]).toContain("upstreams.v.models: is missing");
    expect(problemsOf("upstreams: { a: { preset: antropic } }")[0]).toContain("did you mean `anthropic`?");
    expect(problemsOf("upstreams: { a: { preset: anthropic } }", { env: {} })).toEqual([
      "fairlead.yaml:1:14 upstreams.a.auth: the environment variable ANTHROPIC_API_KEY is not set: expected it to hold the key",
    ]);
  });

  test("impossible models and URLs are refused", () => {
    const one = (model: string) => problemsOf(`upstreams: { v: { preset: vllm, models: [${model}] } }`);
    expect(one("{ id: m, contextWindow: 100, maxOutputTokens: 200 }")[0]).toContain(
      "models[0].maxOutputTokens: 200 is larger than the context window: expected at most 100",
    );
    expect(one("{ id: m }, { id: m }")[0]).toContain('models[1].id: "m" is listed twice');
    expect(one("{ id: m, aliases: [auto] }")[0]).toContain("is taken");
    expect(
      problemsOf("upstreams: { a: { preset: vllm, baseUrl: 'http://u:secretpw@h/v1?x=1', models: [{ id: m }] } }"),
    ).toEqual([expect.stringContaining("holds credentials"), expect.stringContaining("has a query")]);
  });

  test("headers that cannot be sent are refused without their value", () => {
    const one = (header: string) =>
      problemsOf(`upstreams: { v: { preset: vllm, models: [{ id: m }], headers: { ${header} } } }`);
    expect(one('"a b": x')[0]).toContain("is no header name");
    const odd = one('x-a: "se\\ncret"')[0];
    expect(odd).toContain("no header can carry");
    expect(odd).not.toContain("cret:");
  });

  test("headers that the gateway sets itself are refused by name", () => {
    const one = (headers: string, more = "") =>
      problemsOf(`upstreams: { v: { preset: vllm, models: [{ id: m }], headers: { ${headers} }${more} } }`, {
        env: { K: "k" },
      });
    for (const name of ["Content-Length", "host", "content-type", "Accept", "accept-encoding", "x-router-hop"]) {
      expect(one(`${name}: hunter2`)).toEqual([
        `fairlead.yaml:1:65 upstreams.v.headers.${name}: "${name}" is set by the gateway itself: expected a header of your own`,
      ]);
    }
    expect(one("connection: close, transfer-encoding: chunked")).toHaveLength(2);
    expect(one("authorization: hunter2")[0]).toMatch(
      /headers\.authorization: "authorization" carries credentials: expected them under `auth`$/,
    );
    const keyed = ", auth: { type: header, name: X-API-Key, key: { env: K } }";
    expect(one("x-api-key: hunter2", keyed)[0]).toMatch(
      /"x-api-key" is the header of `auth`: expected .* `auth` only$/,
    );
    expect(one("x-api-key: hunter2")).toEqual([]);
    expect(problemsOf("upstreams: { a: { preset: anthropic, headers: { X-Api-Key: hunter2 } } }")[0]).toContain(
      "is the header of `auth`",
    );
  });

  test("header names are compared and kept in lower case", () => {
    const text = (headers: string) =>
      `upstreams: { v: { preset: vllm, models: [{ id: m }], headers: { ${headers} } } }`;
    expect(resolve(text("X-Team: a, User-Agent: mine")).upstreams[0]?.headers).toEqual({
      "x-team": "a",
      "user-agent": "mine",
    });
    expect(problemsOf(text("X-Team: a, x-team: b"))).toEqual([
      'fairlead.yaml:1:76 upstreams.v.headers.x-team: "x-team" is given twice, as "X-Team" before: expected each header once, whatever its case',
    ]);
  });

  test("a key cannot travel in a header that the gateway sets itself", () => {
    const one = (name: string) =>
      problemsOf(
        `upstreams: { v: { preset: vllm, models: [{ id: m }], auth: { type: header, name: ${name}, key: { env: K } } } }`,
        { env: { K: "k" } },
      );
    expect(one("Host")[0]).toContain('auth.name: "Host" is set by the gateway itself');
    expect(one("Authorization")).toEqual([]);
  });

  test("time limits fit into each other", () => {
    const text = (timeouts: string) =>
      `upstreams: { v: { preset: vllm, models: [{ id: m }], timeouts: { ${timeouts} } } }`;
    expect(problemsOf(text("firstContentMs: 3000, totalMs: 2000, connectMs: 2001"))).toEqual([
      "fairlead.yaml:1:82 upstreams.v.timeouts.firstContentMs: 3000 is longer than `totalMs`: expected at most 2000, or a longer `totalMs`",
      "fairlead.yaml:1:114 upstreams.v.timeouts.connectMs: 2001 is longer than `totalMs`: expected at most 2000, or a longer `totalMs`",
    ]);
    expect(problemsOf(text("firstContentMs: 600001"))[0]).toContain("expected at most 600000, or a longer `totalMs`");
    expect(problemsOf(text("connectMs: 2000, totalMs: 2000"))).toEqual([]);
    expect(resolve(text("totalMs: 2000")).upstreams[0]?.timeouts).toEqual({
      connectMs: 2000,
      firstContentMs: 2000,
      coldStartMs: 2_000,
      wholeMs: 2000,
      idleMs: 120_000,
      totalMs: 2000,
    });
  });

  test("time limits of a route fit into its attempts", () => {
    const text = (timeouts: string, upstream = "") =>
      `upstreams: { v: { preset: vllm, models: [{ id: m }]${upstream} } }\nmodels: { r: { targets: [v/m], timeouts: { ${timeouts} } } }`;
    expect(problemsOf(text("firstContentMs: 3000, totalMs: 2000"))).toEqual([
      "fairlead.yaml:2:60 models.r.timeouts.firstContentMs: 3000 is longer than `totalMs`: expected at most 2000, or a longer `totalMs`",
    ]);
    expect(problemsOf(text("coldStartMs: 900000"))[0]).toContain("expected at most 600000, or a longer `totalMs`");
    expect(problemsOf(text("coldStartMs: 900000, totalMs: 900000"))).toEqual([]);
    expect(problemsOf(text("coldStartMs: 900000", ", timeouts: { totalMs: 900000 }"))).toEqual([]);
  });

  test("health can be switched off, moved, and follows the base URL", () => {
    const probe = (more: string) =>
      resolve(`upstreams: { g: { preset: gemini, ${more} } }`, { env: { GEMINI_API_KEY: "k" } }).upstreams[0]?.health;
    expect(probe("health: false")).toBeUndefined();
    expect(probe("health: { path: /ok, intervalMs: 500 }")).toMatchObject({ path: "/ok", intervalMs: 500 });
    expect(probe("")).toMatchObject({ path: "/v1beta/openai/models" });
    expect(probe("baseUrl: 'http://127.0.0.1:9/x/'")).toMatchObject({ path: "/x/models" });
  });
});

describe("secrets", () => {
  const withKey = (key: string, more = "") =>
    resolve(`upstreams: { o: { preset: openai, auth: { type: bearer, key: ${key} } } }\n${more}`);
  const keyOf = (resolved: ResolvedConfig) => {
    const auth = resolved.upstreams[0]?.auth;
    return auth?.type === "bearer" ? auth.key.reveal() : undefined;
  };

  test("come from the environment, a file or, with a warning, the text", () => {
    expect(keyOf(withKey("'${OPENAI_API_KEY}'"))).toBe("oai-key");
    expect(keyOf(withKey("{ env: OPENAI_API_KEY }"))).toBe("oai-key");
    expect(keyOf(withKey("{ file: /run/secrets/key }"))).toBe("from-a-file");
    const literal = withKey("sk-literal");
    expect(keyOf(literal)).toBe("sk-literal");
    expect(literal.warnings).toEqual([expect.stringContaining("upstreams.o.auth.key is written out in the config")]);
    expect(withKey("{ env: OPENAI_API_KEY }").warnings).toEqual([]);
    expect(Bun.inspect(literal) + JSON.stringify(literal)).not.toContain("sk-literal");
  });

  test("that are empty, absent or unfit for a header are refused without being shown", () => {
    const one = (key: string, more: Record<string, string> = {}) =>
      problemsOf(`upstreams: { o: { preset: openai, auth: { type: header, name: x-key, key: ${key} } } }`, {
        env: more,
      })[0];
    expect(one("''")).toContain("auth.key: is empty");
    expect(one("{ env: K }")).toContain("environment variable K is not set");
    expect(one("{ env: K }", { K: "" })).toContain("environment variable K is empty");
    expect(one("{ file: /nope }")).toContain('the file "/nope" does not exist');
    const odd = one("'${K}'", { K: "se\ncret" });
    expect(odd).toContain("no header can carry");
    expect(odd).not.toContain("cret\n");
  });
});

describe("names", () => {
  test("ids, aliases and full names, each with its reason", () => {
    const resolved = resolve(hybrid);
    expect(named(resolved, "gpt-4o")).toEqual(["openai/gpt-4o"]);
    expect(named(resolved, "anthropic/claude-opus-4-8")).toEqual(["anthropic/claude-opus-4-8"]);
    expect(named(resolved, "qwen")).toEqual(["vllm/Qwen/Qwen2.5-7B-Instruct"]);
    expect(named(resolved, "vllm/Qwen/Qwen2.5-7B-Instruct")).toEqual(["vllm/Qwen/Qwen2.5-7B-Instruct"]);
    expect(resolved.catalogue.names.get("gpt-4o")?.reason).toBe("explicit_model");
    expect(resolved.catalogue.names.get("openai/gpt-4o")).toMatchObject({ reason: "explicit_model", listed: false });
    expect(resolved.catalogue.names.get("qwen")).toMatchObject({ reason: "alias", listed: true });
    expect(resolved.catalogue.names.has("auto")).toBe(false);
  });

  test("built-in aliases are there as far as their models are", () => {
    const full = resolve(hybrid);
    for (const name of ["local", "qwen2.5-7b"]) expect(named(full, name)).toEqual(["vllm/Qwen/Qwen2.5-7B-Instruct"]);
    for (const name of ["cloud", "claude"]) expect(named(full, name)).toEqual(["anthropic/claude-opus-4-8"]);
    const openaiOnly = resolve("upstreams: { openai: { preset: openai } }");
    expect(named(openaiOnly, "cloud")[0]).toBe("openai/gpt-5");
    expect(openaiOnly.catalogue.names.has("claude")).toBe(false);
    expect(openaiOnly.catalogue.names.has("local")).toBe(false);
    const localOnly = resolve("upstreams: { v: { preset: vllm, models: [{ id: other }, { id: 'qwen2.5:7b' }] } }");
    expect(named(localOnly, "qwen2.5-7b")).toEqual(["v/qwen2.5:7b"]);
    expect(localOnly.catalogue.names.has("cloud")).toBe(false);
    expect(localOnly.catalogue.fallback).toEqual([]);
    expect(named(resolve("upstreams: { v: { preset: vllm, models: [{ id: other }] } }"), "qwen2.5-7b")).toEqual([
      "v/other",
    ]);
  });

  test("chains hold existing deployments once, in order", () => {
    const { catalogue } = resolve(hybrid);
    expect(ids(catalogue.autoCloud).slice(0, 3)).toEqual([
      "anthropic/claude-sonnet-4-6",
      "anthropic/claude-opus-4-8",
      "openai/gpt-5",
    ]);
    expect(ids(catalogue.fallback)[0]).toBe("anthropic/claude-haiku-4-5-20251001");
    expect(new Set(catalogue.fallback).size).toBe(catalogue.fallback.length);
    expect(catalogue.fallback.every((deployment) => deployment.upstream.placement === "cloud")).toBe(true);
  });

  test("one model on several upstreams is one name with all of them", () => {
    const pool =
      "upstreams: { b: { preset: vllm, models: [{ id: m }] }, a: { preset: llamacpp, models: [{ id: m }] } }";
    expect(named(resolve(pool), "m")).toEqual(["b/m", "a/m"]);
  });

  test("configured names: routes, aliases of aliases, selectors, and a route over a model's own name", () => {
    const resolved = resolve(`${hybrid}
models:
  smart: { targets: [qwen, gpt-4o, "@local"], fallback: [claude-opus-4-8] }
  gpt-4o: { targets: [gpt-4o, "@local"] }
  stay: { targets: ["@local"], fallback: [] }
aliases:
  best: smart
  first: [nowhere, gpt-4.1]
  cloud: gpt-5
`);
    expect(named(resolved, "smart")).toEqual(["vllm/Qwen/Qwen2.5-7B-Instruct", "openai/gpt-4o"]);
    expect(named(resolved, "best")).toEqual(named(resolved, "smart"));
    expect(ids(resolved.catalogue.names.get("best")?.fallback)).toEqual(["anthropic/claude-opus-4-8"]);
    expect(resolved.catalogue.names.get("stay")?.fallback).toEqual([]);
    expect(named(resolved, "gpt-4o")).toEqual(["openai/gpt-4o", "vllm/Qwen/Qwen2.5-7B-Instruct"]);
    expect(named(resolved, "first")).toEqual(["openai/gpt-4.1"]);
    expect(named(resolved, "cloud")).toEqual(["openai/gpt-5"]);
    expect(resolved.warnings).toEqual(['aliases.first[0]: nothing is called "nowhere"']);
  });

  test("references to nothing, circles and collisions are refused", () => {
    const one = (text: string) => problemsOf(`${hybrid}${text}`);
    expect(one("aliases: { x: claude-opus-4-9 }")).toEqual([
      expect.stringMatching(
        /5:15 aliases\.x: "claude-opus-4-9" names nothing that is configured: .*did you mean `claude-opus-4-8`\?$/,
      ),
    ]);
    expect(one("models: { x: { targets: [gpt-4p] } }")[0]).toContain("models.x.targets[0]");
    expect(one("models: { x: { targets: [gpt-4o], fallback: [nope-at-all] } }")[0]).toContain("models.x.fallback[0]");
    expect(one("routing: { fallback: [nope-at-all] }")[0]).toContain("routing.fallback[0]");
    expect(one("routing: { autoCloud: [qwen] }")[0]).toContain("which is local: expected cloud targets");
    expect(one("aliases: { x: y, y: x }").join()).toContain("goes round in circles (x → y → x)");
    expect(one("aliases: { x: x }").join()).toContain("goes round in circles (x → x)");
    expect(one("aliases: { auto: gpt-4o }")[0]).toContain("is taken");
    expect(one("aliases: { x: gpt-4o }\nmodels: { x: { targets: [gpt-4o] } }")[0]).toContain(
      "is also a name under `models`",
    );
    expect(one("aliases: { openai/gpt-4o: qwen }")[0]).toContain("is the full name of a deployment");
    expect(one("aliases: { qwen: gpt-4o }")[0]).toContain("is also a name under");
    expect(one("aliases: { cloud: '@local' }")[0]).toContain("which is local: expected only cloud targets");
    expect(problemsOf("upstreams: { openai: { preset: openai } }\naliases: { x: '@local' }")[0]).toContain(
      "finds no deployment",
    );
  });
});

test("any web of names resolves or is refused", () => {
  const name = fc.constantFrom("a", "b", "c", "local", "cloud", "claude", "gpt-4o", "qwen", "x");
  const reference = fc.oneof(name, fc.constantFrom("@local", "@cloud", "openai/gpt-4o", "@x", "auto", "nope"));
  const route = fc.record({ targets: fc.array(reference, { minLength: 1, maxLength: 4 }) });
  const alias = fc.oneof(reference, fc.array(reference, { minLength: 1, maxLength: 3 }));
  const web = fc.record({ models: fc.dictionary(name, route), aliases: fc.dictionary(name, alias) });
  fc.assert(
    fc.property(web, (names) => {
      const upstreams = {
        vllm: { preset: "vllm", models: [{ id: "m", aliases: ["qwen"] }] },
        openai: { preset: "openai" },
      };
      try {
        const { catalogue } = resolve(JSON.stringify({ upstreams, ...names }));
        for (const { targets } of catalogue.names.values()) expect(targets.length).toBeGreaterThan(0);
        for (const target of catalogue.names.get("cloud")?.targets ?? [])
          expect(target.upstream.placement).toBe("cloud");
      } catch (thrown) {
        if (!(thrown instanceof ConfigError)) throw thrown;
      }
    }),
    { numRuns: 400 },
  );
});

describe("process", () => {
  test("a bind that others can reach needs a key", () => {
    const text = "server: { host: 0.0.0.0 }\nupstreams: { v: { preset: vllm, models: [{ id: m }] } }";
    expect(problemsOf(text)[0]).toContain('fairlead.yaml:1:17 server.host: "0.0.0.0" can be reached by others');
    expect(problemsOf(`${text}\nauth: { anonymous: true }`)).toEqual([]);
    expect(resolve(`${text}\nauth: { key: { env: K } }`, { env: { K: "k" } }).auth.key?.reveal()).toBe("k");
  });

  test("LOG_LEVEL overrides the file", () => {
    expect(
      resolve(`logging: { level: warn }\nupstreams:\n${vllm}`, { env: { LOG_LEVEL: "DEBUG" } }).logging.level,
    ).toBe("debug");
    expect(problemsOf("{}", { env: { LOG_LEVEL: "loud" } })[0]).toContain("LOG_LEVEL");
  });

  test("a file without upstreams is refused, unless it is only the start of a config", () => {
    expect(problemsOf("routing: { maxAttempts: 2 }")).toEqual([expect.stringContaining("upstreams: is empty")]);
    expect(resolve("", { mayServeNothing: true }).catalogue.deployments).toEqual([]);
  });

  test("without a file there may be no upstream yet", () => {
    expect(resolveCatalogue(acceptConfig({}).config, { env: {} }).upstreams).toEqual([]);
  });
});
