import { expect, test } from "bun:test";
import { ConfigError } from "./config-error.ts";
import { parseConfig } from "./load-config.ts";
import { type ResolveOptions, resolveCatalogue } from "./resolve-catalogue.ts";

function resolve(wake: string, more = "", options: Partial<ResolveOptions> = {}) {
  const env = { WAKE_KEY: "k-1", OPENAI_API_KEY: "o-1", ...options.env };
  const text = `upstreams: { gpu: { preset: vllm, models: [{ id: small }], wake: ${wake}${more} } }`;
  const { config, source } = parseConfig(text, "fairlead.yaml", env);
  return resolveCatalogue(config, { source, readFile: () => "", ...options, env }).upstreams[0]?.wake;
}

function problemsOf(...given: Parameters<typeof resolve>): string {
  try {
    resolve(...given);
    return "";
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.message;
  }
}

test("each hook knows what it wakes and whether it brings back a server", () => {
  expect(resolve("{ type: vllm, sleepAfterMs: 60000 }")).toMatchObject({
    covers: "server",
    startsServer: false,
    sleeps: true,
    sleepAfterMs: 60_000,
    patienceMs: 0,
    patienceAloneMs: 120_000,
  });
  const http = resolve("{ type: http, url: 'http://up.internal/gpu', key: { env: WAKE_KEY }, headers: { X-Site: a } }");
  expect(http).toMatchObject({ covers: "server", startsServer: true, sleeps: false, headers: { "x-site": "a" } });
  expect(JSON.stringify(http)).not.toContain("k-1");
  expect(http?.type === "http" && http.key?.reveal()).toBe("k-1");
});

test("a cluster is found by what it tells its pods", () => {
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT_HTTPS: "6443" };
  expect(resolve("{ type: kubernetes, name: engine }", "", { env })).toMatchObject({
    apiServer: "https://[fd00::1]:6443",
    tokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token",
    sleeps: false,
  });
  expect(resolve("{ type: kubernetes, name: engine }", "", { env })?.sleepAfterMs).toBeUndefined();
  const keda = "{ type: kubernetes, kind: ScaledObject, name: engine, apiServer: 'https://10.0.0.1' }";
  expect(resolve(keda)).toMatchObject({ sleepAfterMs: 300_000, sleeps: false, startsServer: true });
});

test("what cannot work is refused with its path and what is expected", () => {
  const cases: readonly (readonly [Parameters<typeof resolve>, string])[] = [
    [["{ type: vllm }", ", placement: cloud"], "upstreams.gpu.wake: belongs to a cloud upstream"],
    [["{ type: ollama }"], 'upstreams.gpu.wake.type: "ollama" does not fit the engine vllm: expected `engine: ollama`'],
    [["{ type: vllm }", ", health: false"], "upstreams.gpu.wake: is given, but health probing is off"],
    [["{ type: kubernetes, name: engine }"], "upstreams.gpu.wake.apiServer: is missing"],
    [
      ["{ type: kubernetes, kind: ScaledObject, name: e, replicas: 2, apiServer: 'https://a' }"],
      "upstreams.gpu.wake.replicas: 2 is not possible here",
    ],
    ...["..", "a/b", "a?b", "A"].map((name): readonly [Parameters<typeof resolve>, string] => [
      [`{ type: kubernetes, name: '${name}', apiServer: 'https://a' }`],
      `upstreams.gpu.wake.name: "${name}" is no name of an object`,
    ]),
    [
      ["{ type: kubernetes, name: e, namespace: '..', apiServer: 'https://a' }"],
      'upstreams.gpu.wake.namespace: ".." is no name of an object',
    ],
    [["{ type: http, url: 'http://a', key: { env: NONE } }"], "upstreams.gpu.wake.key: the environment variable NONE"],
    [["{ type: http, url: 'http://u:p@a' }"], "upstreams.gpu.wake.url: holds credentials"],
    [["{ type: http, url: 'http://a', body: '{' }"], "upstreams.gpu.wake.body: is no JSON"],
    [["{ type: http, url: 'http://a', headers: { authorization: x } }"], "carries credentials"],
    [
      [
        "{ type: kubernetes, name: e, apiServer: 'https://a', tokenFile: /data/own/token }",
        "",
        { ownDirs: ["/data/own"] },
      ],
      "upstreams.gpu.wake.tokenFile: leads into the gateway's own data folder",
    ],
  ];
  for (const [given, problem] of cases) expect(problemsOf(...given)).toContain(problem);
});
