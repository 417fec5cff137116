import { createServer } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { runBun } from "../setup/child-process.ts";
import { postChat, say } from "../setup/clients.ts";
import { gatewayProgram, spawnGateway, startGateway } from "../setup/gateway-process.ts";
import { canaryEnv, localModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { startSimulator } from "../setup/simulator-process.ts";
import { tempDir, tempFile } from "../setup/temp-dir.ts";

let simulators: Upstreams;

beforeAll(async () => {
  simulators = await startSimulators();
});

const run = (args: string[], env: Record<string, string> = {}) => runBun(gatewayProgram, args, { env, cwd: tempDir() });

describe("config check", () => {
  test("says that a right file is right", async () => {
    const file = tempFile("fairlead.yaml", JSON.stringify(usualConfig(simulators)));
    const { ending, stdout } = await run(["config", "check", file], canaryEnv);
    expect(ending).toBe(0);
    expect(stdout).toContain("is valid: 3 upstreams");
  });

  test("names position, path, value, expectation and the likely meaning of every mistake at once", async () => {
    const file = tempFile(
      "fairlead.yaml",
      [
        "server:",
        "  port: 99999",
        "routing:",
        "  maxAttemps: 3",
        "upstreams:",
        "  vllm:",
        "    preset: vlm",
        "    baseUrl: 127.0.0.1:8000",
        "    models: [{ id: m }]",
        "",
      ].join("\n"),
    );
    const { ending, stdout, stderr } = await run(["config", "check", file]);
    expect(ending).toBe(2);
    const text = stdout + stderr;
    expect(text).toMatch(/fairlead\.yaml:2:9 server\.port: .*99999/);
    expect(text).toMatch(/fairlead\.yaml:4:3 routing\.maxAttemps: .*did you mean `maxAttempts`/);
    expect(text).toMatch(/fairlead\.yaml:7:13 upstreams\.vllm\.preset: .*vlm.*did you mean `vllm`/);
    expect(text).toMatch(/fairlead\.yaml:8:14 upstreams\.vllm\.baseUrl: .*http/);
    expect(text).not.toMatch(/\bat .+\.ts:\d+/);
  });

  test.each(Object.keys(canaryEnv))(
    "names the missing environment variable %s and where it is needed",
    async (name) => {
      const file = tempFile("fairlead.yaml", JSON.stringify(usualConfig(simulators)));
      const env = Object.fromEntries(Object.entries(canaryEnv).filter(([key]) => key !== name));
      const { ending, stdout, stderr } = await run(["config", "check", file], env);
      expect(ending).toBe(2);
      expect(stdout + stderr).toMatch(new RegExp(`upstreams\\..*${name}`));
      for (const secret of Object.values(env)) expect(stdout + stderr).not.toContain(secret);
    },
  );

  test("tells a broken file and a missing file with exit code 2", async () => {
    for (const path of [tempFile("fairlead.yaml", "upstreams: [\n"), "/nowhere/fairlead.yaml"]) {
      const { ending, stdout, stderr } = await run(["config", "check", path]);
      expect(ending).toBe(2);
      expect(stdout + stderr).toContain("fairlead.yaml");
      expect(stdout + stderr).not.toMatch(/\bat .+\.ts:\d+/);
    }
  });

  test("--json gives the problems to a machine", async () => {
    const file = tempFile("fairlead.yaml", "routing: { maxAttempts: many }\n");
    const { ending, stdout } = await run(["config", "check", "--json", file]);
    expect(ending).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      valid: false,
      problems: [{ path: "routing.maxAttempts", line: 1, column: expect.any(Number), expected: expect.any(String) }],
    });
  });

  test("a gateway does not start with a wrong file either", async () => {
    const child = spawnGateway({ config: "routing: { maxAttempts: many }\n" });
    expect(await child.ended).toBe(2);
    expect(child.stderr).toContain("routing.maxAttempts");
  });
});

describe("the command line", () => {
  test("--help lists every command", async () => {
    const { ending, stdout } = await run(["--help"]);
    expect(ending).toBe(0);
    for (const command of ["serve", "demo", "doctor", "config", "simulate"]) expect(stdout).toContain(command);
  });

  test.each(["sevre", "serve --prot 1", "serve --port high", "config chek"])(
    "`%s` is refused with exit code 2 and a hint",
    async (line) => {
      const { ending, stderr } = await run(line.split(" "));
      expect(ending).toBe(2);
      expect(stderr).toMatch(/error: /);
      expect(stderr).toMatch(/--help|Did you mean|expected a port/);
    },
  );

  test("--version prints a version", async () => {
    const { ending, stdout } = await run(["--version"]);
    expect(ending).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("a busy port", () => {
  test("is told with the gateway that holds it", async () => {
    const config = usualConfig(simulators);
    const first = await startGateway({ config, env: canaryEnv });
    const port = new URL(first.url).port;
    const second = spawnGateway({ config, env: canaryEnv, args: ["--port", port] });
    expect(await second.ended).toBe(1);
    expect(second.stderr).toContain(`Port ${port}`);
    expect(second.stderr).toContain("another Fairlead gateway");
    if (process.platform === "linux") expect(second.stderr).toContain(String(first.child.pid));
    expect(second.stderr).toContain("--port");
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
  });

  test("is told with the process that holds it", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const child = spawnGateway({ config: usualConfig(simulators), env: canaryEnv, args: ["--port", String(port)] });
    expect(await child.ended).toBe(1);
    if (process.platform === "linux") expect(child.stderr).toContain(`process ${process.pid}`);
    server.close();
  });
});

describe("doctor", () => {
  const doctor = async (config: object, env: Record<string, string> = canaryEnv) => {
    const { ending, stdout, stderr } = await run(
      ["doctor", "--json", "--config", tempFile("fairlead.yaml", JSON.stringify(config))],
      env,
    );
    expect(stderr).toBe("");
    return { ending, stdout, report: JSON.parse(stdout) as { ok: boolean; upstreams: Record<string, unknown>[] } };
  };

  test("finds good upstreams good", async () => {
    const { ending, report } = await doctor(usualConfig(simulators));
    expect(report.upstreams.filter((upstream) => upstream["ok"] !== true)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(ending).toBe(0);
    expect(report.upstreams.map((upstream) => upstream["name"])).toEqual(["vllm", "anthropic", "openai"]);
  });

  test("tells a dead address, a refused key and a model that is not served from each other", async () => {
    const config = usualConfig(simulators);
    const wrong = {
      upstreams: {
        dead: { ...config.upstreams?.["vllm"], baseUrl: "http://127.0.0.1:9/v1" },
        keyless: {
          preset: "openai",
          baseUrl: `${simulators.openai.url}/v1`,
          auth: { type: "bearer", key: "${BAD_KEY}" },
        },
        modelless: { ...config.upstreams?.["vllm"], models: [{ id: "no-such-model" }] },
      },
    };
    const bad = "sk-canary-bad-0000111122";
    const { ending, stdout, report } = await doctor(wrong, { ...canaryEnv, BAD_KEY: bad });
    expect(ending).toBe(1);
    const [dead, keyless, modelless] = report.upstreams;
    expect(dead).toMatchObject({ name: "dead", ok: false, reachable: false });
    expect(keyless).toMatchObject({ name: "keyless", ok: false, reachable: true, key: "refused" });
    expect(modelless).toMatchObject({ ok: false, reachable: true, models: { missing: ["no-such-model"] } });
    for (const secret of [...Object.values(canaryEnv), bad]) expect(stdout).not.toContain(secret);
  });
});

describe("without a config", () => {
  test("a server named by VLLM_BASE_URL is found, asked for its models, and used", async () => {
    // Zero config sends no key, so this one wants none.
    const open = await startSimulator("--flavour", "vllm", "--model", `${localModel}@32768`);
    const gateway = await startGateway({ env: { VLLM_BASE_URL: open.url } });
    const response = await postChat(gateway.url, say("Hi", { model: "local" }));
    expect(response.status).toBe(200);
    expect(response.headers.get("x-router-target")).toContain(localModel);
    expect((await open.generations()).length).toBe(1);
  });

  test("a bad VLLM_BASE_URL is told with its name", async () => {
    const child = spawnGateway({ env: { VLLM_BASE_URL: "not a url" } });
    expect(await child.ended).toBe(2);
    expect(child.stderr).toContain("VLLM_BASE_URL");
  });

  test("demo serves both placements by simulated upstreams and says so", async () => {
    const gateway = await startGateway({ command: "demo", config: "{}" });
    for (const [model, backend] of [
      ["local", "local"],
      ["cloud", "cloud"],
    ] as const) {
      const response = await postChat(gateway.url, say("[[sim:tokens=2]]", { model }));
      expect(response.status, await response.text()).toBe(200);
      expect(response.headers.get("x-router-backend")).toBe(backend);
      expect(response.headers.get("x-router-fallback")).toBeNull();
    }
    expect(gateway.child.stdout).toContain("simulated: ");
  });
});
