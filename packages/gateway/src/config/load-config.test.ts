import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ConfigError } from "./config-error.ts";
import { loadConfig, parseConfig } from "./load-config.ts";

function problemsOf(text: string, env: Record<string, string> = {}): readonly string[] {
  try {
    parseConfig(text, "fairlead.yaml", env);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.message.split("\n");
  }
}

describe("problems", () => {
  test("name position, path, value and expectation, all at once", () => {
    const lines = problemsOf(
      [
        "server:",
        "  port: eighty",
        "modles: {}",
        "upstreams:",
        "  vllm:",
        "    preset: vlm",
        "    baseUrl: foo",
        "    protocol: openai",
        "    models:",
        "      - id: m",
        "        capabilities: [tool]",
        "        context: 4",
        "  '!': {}",
        "routing:",
        "  maxAttempts: 99",
      ].join("\n"),
    );
    expect(lines).toEqual([
      'fairlead.yaml:2:9 server.port: "eighty" is not valid: expected a whole number from 0 to 65535',
      "fairlead.yaml:3:1 modles: is not a known key: expected one of $schema, server, auth, logging, upstreams, models, aliases, strategies, routing, storage, shared, pricing, budgets, limits, webhooks, admin; did you mean `models`?",
      expect.stringMatching(
        /^fairlead\.yaml:6:13 upstreams\.vllm\.preset: "vlm" is not valid: expected one of anthropic, .*; did you mean `vllm`\?$/,
      ),
      'fairlead.yaml:7:14 upstreams.vllm.baseUrl: "foo" is not valid: expected an absolute http:// or https:// URL',
      'fairlead.yaml:8:15 upstreams.vllm.protocol: "openai" is not valid: expected one of openai-chat, anthropic-messages; did you mean `openai-chat`?',
      expect.stringMatching(
        /^fairlead\.yaml:11:24 upstreams\.vllm\.models\[0\]\.capabilities\[0\]: "tool" .*did you mean `tools`\?$/,
      ),
      expect.stringMatching(/^fairlead\.yaml:12:9 upstreams\.vllm\.models\[0\]\.context: is not a known key/),
      expect.stringMatching(/^fairlead\.yaml:13:3 upstreams\["!"\]: "!" is no usable name/),
      "fairlead.yaml:15:16 routing.maxAttempts: 99 is not valid: expected a whole number from 1 to 10",
    ]);
  });

  test("unions explain the nearest alternative", () => {
    expect(problemsOf("aliases: { x: 1, y: [] }")).toEqual([
      "fairlead.yaml:1:15 aliases.x: 1 is not valid: expected text or a list",
      "fairlead.yaml:1:21 aliases.y: a list is not valid: expected at least one entry",
    ]);
    expect(problemsOf("auth: { key: { evn: X } }").join("\n")).toContain("did you mean `env`?");
    expect(problemsOf("upstreams: { a: { auth: { type: beare, key: sk-very-secret } } }")).toEqual([
      "fairlead.yaml:1:33 upstreams.a.auth.type: [hidden] is not valid: expected one of none, bearer, header; did you mean `bearer`?",
    ]);
    expect(problemsOf("upstreams: { a: { auth: { key: x } } }")[0]).toContain("auth.type: is missing");
    expect(problemsOf("upstreams: { a: { health: true } }")[0]).toContain("expected false or a mapping");
  });

  test("a limit of no time at all is refused", () => {
    const zero = "connectMs: 0, firstContentMs: 0, idleMs: 0, totalMs: 0";
    const lines = problemsOf(`upstreams: { a: { timeouts: { ${zero} }, health: { timeoutMs: 0 } } }`);
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toContain(": 0 is not valid: expected a whole number from 1 to 86400000");
  });

  test("syntax errors and duplicate names have a position", () => {
    expect(problemsOf("upstreams:\n  a: {}\n  a: {}\n")).toEqual([
      "fairlead.yaml:3:3 a: is given twice: expected each name once",
    ]);
    expect(problemsOf("server: [1\nport: 2")[0]).toMatch(/^fairlead\.yaml:\d+:\d+: is not valid YAML/);
    expect(problemsOf("- a\n- b")[0]).toBe("fairlead.yaml:1:1: a list is not valid: expected a mapping");
  });

  test("an alias bomb and a deep nest are refused", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x,x]",
      ..."bcdefgh".split("").map((l, i) => `${l}: &${l} [${Array(10).fill(`*${"abcdefgh"[i]}`).join(",")}]`),
    ];
    expect(problemsOf(bomb.join("\n"))[0]).toContain("aliases in excess");
    expect(problemsOf("[".repeat(100_000))[0]).toContain("fairlead.yaml");
    expect(problemsOf(`server: ${"x".repeat(2_000_000)}`)[0]).toContain("is too large");
  });

  test("a file that is not there is a problem like any other", () => {
    expect(() => loadConfig("/nonexistent/fairlead.yaml", {})).toThrow("/nonexistent/fairlead.yaml: does not exist");
  });
});

describe("environment", () => {
  test("a value takes the type its place asks for", () => {
    const env = { PORT: "9000", ANON: "true", HOST: "127.0.0.1", N: "12345" };
    const { config } = parseConfig(
      'server:\n  port: ${PORT}\n  host: ${HOST}\nauth: { anonymous: "${ANON}" }\naliases:\n  x: ${N}',
      "f.yaml",
      env,
    );
    expect(config.server.port).toBe(9000);
    expect(config.server.host).toBe("127.0.0.1");
    expect(config.auth.anonymous).toBe(true);
    expect(config.aliases["x"]).toBe("12345");
    const [problem] = problemsOf('server: { port: "${HOST}" }', env);
    expect(problem).toContain("${HOST} is not valid");
    expect(problem).not.toContain("127.0.0.1");
  });

  test("defaults, escapes and several references in one value", () => {
    const { config } = parseConfig('aliases: { a: "${A:-one}-${B}", b: "$${B}", c: "${EMPTY:-two}" }', "f.yaml", {
      B: "bee",
      EMPTY: "",
    });
    expect(config.aliases).toEqual({ a: "one-bee", b: "${B}", c: "two" });
  });

  test("a value never becomes structure", () => {
    const { config } = parseConfig("aliases:\n  a: ${EVIL}\n", "f.yaml", { EVIL: "x\nserver:\n  host: 0.0.0.0 #" });
    expect(config.server.host).toBe("127.0.0.1");
    expect(config.aliases["a"]).toContain("0.0.0.0");
    const list = parseConfig("aliases:\n  a: ${EVIL}\n", "f.yaml", { EVIL: "[a, b]" });
    expect(list.config.aliases["a"]).toBe("[a, b]");
  });

  test("a missing variable is named with its place, beside the other problems", () => {
    expect(problemsOf("server:\n  port: ${PORT}\n  hots: x\nauth:\n  key: ${KEY}\n")).toEqual([
      "fairlead.yaml:2:9 server.port: the environment variable PORT is not set: expected it to be set, or a default as in `${PORT:-default}`",
      expect.stringContaining("fairlead.yaml:3:3 server.hots: is not a known key"),
      "fairlead.yaml:5:8 auth.key: the environment variable KEY is not set: expected it to be set, or a default as in `${KEY:-default}`",
    ]);
    expect(problemsOf("server: { host: '${not closed' }")[0]).toContain("no reference");
  });

  test("keys that cannot be had are named beside the other problems", () => {
    const lines = problemsOf(
      [
        "auth: { key: { env: CLIENT_KEY } }",
        "upstreams:",
        "  vllm: { preset: vllm, baseUrl: '${VLLM_BASE_URL}', models: [{ id: m }] }",
        "  anthropic: { preset: anthropic }",
        "  openai: { preset: openai, auth: { type: bearer, key: '${OPENAI_KEY}' } }",
        "  groq: { preset: groq, auth: { type: bearer, key: { file: /nonexistent/key } } }",
        "  mistral: { preset: mistral, auth: { type: none } }",
      ].join("\n"),
    );
    expect(lines.map((line) => line.split(": expected")[0])).toEqual([
      "fairlead.yaml:1:14 auth.key: the environment variable CLIENT_KEY is not set",
      "fairlead.yaml:3:34 upstreams.vllm.baseUrl: the environment variable VLLM_BASE_URL is not set",
      "fairlead.yaml:4:3 upstreams.anthropic.auth: the environment variable ANTHROPIC_API_KEY is not set",
      "fairlead.yaml:5:56 upstreams.openai.auth.key: the environment variable OPENAI_KEY is not set",
      'fairlead.yaml:6:52 upstreams.groq.auth.key: the file "/nonexistent/key" does not exist',
    ]);
  });

  test("a section whose lines are all commented out is an absent one", () => {
    expect(
      parseConfig("server:\n  # port: 1\nupstreams:\nrouting:\n  breaker:\n", "f.yaml", {}).config.server.port,
    ).toBe(8080);
  });
});

describe("secrets", () => {
  const secret = "hunter2-the-secret";

  test("stay references in the loaded config", () => {
    const { config } = parseConfig("auth: { key: '${K}' }", "f.yaml", { K: secret });
    expect(JSON.stringify(config)).not.toContain(secret);
  });

  test("never appear in an error", () => {
    const env = { API_KEY: secret };
    const wrong = [
      "upstreams: { a: { auth: ${API_KEY} } }",
      `upstreams: { a: { auth: { type: bearer, key: { file: [${secret}] } } } }`,
      `upstreams: { a: { headers: { x: [${secret}] } } }`,
      "server: { port: ${API_KEY} }",
      `auth: [${secret}]`,
      `auth: { key: [${secret}] }`,
      `upstreams: { a: { proxy: "ftp://u:${secret}@host" } }`,
      `upstreams: { a: { token: ${secret}, apiKey: ${secret} } }`,
    ];
    for (const text of wrong) {
      const problems = problemsOf(text, env);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join("\n")).not.toContain(secret);
    }
  });
});

describe("any text", () => {
  const key = fc.constantFrom(
    "server",
    "auth",
    "key",
    "upstreams",
    "models",
    "aliases",
    "routing",
    "a",
    "__proto__",
    "<<",
    "port",
    "targets",
    "1",
    "",
    "toString",
  );
  const leaf = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom(null, true, "${A}", "${", "${A:-1}", "*x", "&x", "!!binary x"),
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("node"), { maxLength: 4 }),
      fc.dictionary(key, tie("node"), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).node;

  const survives = (text: string): void => {
    try {
      parseConfig(text, "f.yaml", { A: "x" });
    } catch (thrown) {
      if (!(thrown instanceof ConfigError)) throw thrown;
      expect(thrown.problems.length).toBeGreaterThan(0);
    }
  };

  test("is accepted or refused with a ConfigError", () => {
    fc.assert(fc.property(fc.string({ maxLength: 200 }), survives), { numRuns: 300 });
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab:-{}[],&*!|>'\"# \n\t?%@`$<~1"), maxLength: 60 }), survives),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(tree, (value) => survives(JSON.stringify(value))),
      { numRuns: 500 },
    );
  });
});
