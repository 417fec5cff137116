import { readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { type AdminAnswer, callAdmin, machineToken } from "../setup/admin.ts";
import { postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { canaries, canaryEnv, openaiModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const dir = tempDir();
const secrets = new Map<string, string>([
  ["shared key", "canary-shared-key-1f0e9d8c7b6a"],
  ["auth.secret", "canary-auth-secret-0123456789abcdef0123"],
  ["admin.token", "canary-config-admin-token-5544332211"],
  ["OIDC client secret", "canary-oidc-client-secret-abcdef"],
  ["webhook secret", "canary-webhook-secret-fedcba"],
  ["password", "canary password 12345"],
  ["wrong password", "canary wrong password 678"],
  ["stored credential", canaries.openai],
  ["unused credential", "canary-unused-credential-99887766"],
  ["upstream key from the environment", canaries.anthropic],
]);
const secret = (name: string): string => secrets.get(name) ?? "";

/** Everything the gateway said, but for the answers that show a new secret once. */
const said: { readonly where: string; readonly text: string }[] = [];
const processes: GatewayProcess[] = [];
const shownOnce = /\/keys$|\/rotate$|\/tokens$|\/key\/generate$/;
let simulators: Upstreams;
let hook: Server;
let gateway: GatewayProcess;

async function ask(method: string, path: string, options: Parameters<typeof callAdmin>[3] = {}): Promise<AdminAnswer> {
  const answer = await callAdmin(gateway.url, method, path, options);
  const isCreation = method === "POST" && shownOnce.test(path) && answer.status < 300;
  if (!isCreation) said.push({ where: `${method} ${path}`, text: answer.text });
  return answer;
}

async function asClient(key: string, model = "auto"): Promise<number> {
  const answer = await postChat(gateway.url, say("Hi", { model }), { authorization: `Bearer ${key}` });
  said.push({ where: `chat with ${model}`, text: `${await answer.text()} ${JSON.stringify([...answer.headers])}` });
  return answer.status;
}

async function start(hookUrl: string): Promise<void> {
  const usual = usualConfig(simulators);
  const openai = { ...usual.upstreams?.["openai"], auth: { type: "bearer" as const, key: { store: "openai" } } };
  gateway = await startGateway({
    config: {
      ...usual,
      upstreams: { ...usual.upstreams, ...(processes.length > 0 && { openai }) },
      storage: { dir },
      auth: { key: "${SHARED}", secret: { env: "SECRET" } },
      webhooks: [{ url: hookUrl, secret: { env: "HOOK" }, events: ["budget", "alert"] }],
      admin: {
        token: { env: "TOKEN" },
        oidc: { issuer: "http://127.0.0.1:1", clientId: "fairlead", clientSecret: { env: "OIDC" } },
      },
    },
    env: {
      ...canaryEnv,
      SHARED: secret("shared key"),
      SECRET: secret("auth.secret"),
      HOOK: secret("webhook secret"),
      TOKEN: secret("admin.token"),
      OIDC: secret("OIDC client secret"),
      LOG_LEVEL: "trace",
    },
  });
  processes.push(gateway);
}

beforeAll(async () => {
  simulators = await startSimulators();
  hook = createServer((request, response) => {
    request.resume();
    response.end();
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  const hookUrl = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
  await start(hookUrl);
  const token = secret("admin.token");
  for (const [name, value] of [
    ["openai", secret("stored credential")],
    ["unused", secret("unused credential")],
  ]) {
    expect((await ask("PUT", `/admin/v1/credentials/${name}`, { token, body: { value } })).status).toBe(200);
  }
  await gateway.stop();
  await start(hookUrl);
}, 60_000);
afterAll(() => {
  hook.close();
});

describe("a secret of every kind", () => {
  test("is used", async () => {
    const token = secret("admin.token");
    secrets.set("operator token", machineToken(dir));
    secrets.set("first-run token", machineToken(dir, "first-run-token"));
    const email = "owner@example.com";
    const body = { token: secret("first-run token"), email, password: secret("password") };
    const owner = await callAdmin(gateway.url, "POST", "/admin/v1/setup", { body });
    expect(owner.status).toBe(201);
    secrets.set("session cookie", /fairlead_session=([^;]+)/.exec(owner.headers.get("set-cookie") ?? "")?.[1] ?? "");
    const page = {
      cookie: `fairlead_session=${secret("session cookie")}`,
      "x-csrf-token": owner.json.csrf_token,
      origin: gateway.url,
    };
    const made = await ask("POST", "/admin/v1/keys", { headers: page, body: { name: "canary" } });
    secrets.set("virtual key", made.json.key);
    const rotated = await ask("POST", `/admin/v1/keys/${made.json.id}/rotate`, { token, body: {} });
    secrets.set("rotated key", rotated.json.key);
    const generated = await ask("POST", "/key/generate", { token: secret("operator token"), body: { max_budget: 1 } });
    secrets.set("generated key", generated.json.key);
    const account = await ask("POST", "/admin/v1/users", {
      token,
      body: { kind: "service", name: "ci", role: "admin" },
    });
    const issued = await ask("POST", `/admin/v1/users/${account.json.id}/tokens`, { token, body: { name: "ci" } });
    secrets.set("admin token", issued.json.token);

    for (const name of ["virtual key", "rotated key", "generated key", "shared key"]) {
      expect(`${name} ${await asClient(secret(name), openaiModel)}`).toBe(`${name} 200`);
    }
    expect((await ask("GET", "/admin/v1/keys", { token: secret("admin token") })).status).toBe(200);
    expect((await ask("GET", `/key/info?key=${secret("generated key")}`, { token })).status).toBe(200);
    for (const value of secrets.values()) expect(value.length).toBeGreaterThan(15);
  });

  test("is used wrongly", async () => {
    const token = secret("admin.token");
    await ask("POST", "/admin/v1/session", {
      body: { email: "owner@example.com", password: secret("wrong password") },
    });
    await ask("POST", "/admin/v1/setup", {
      body: { token: secret("first-run token"), email: "a", password: secret("password") },
    });
    await ask("POST", "/admin/v1/users", {
      token,
      body: { kind: "person", email: 5, role: "owner", password: secret("password") },
    });
    await ask("PUT", "/admin/v1/credentials/broken", { token, body: { value: `${secret("unused credential")}\n` } });
    await ask("PUT", "/admin/v1/credentials/broken", { token, body: { value: [secret("unused credential")] } });
    await ask("POST", "/key/generate", { token, body: { key: secret("virtual key") } });
    await ask("POST", "/key/update", { token, body: { key: `${secret("virtual key")}x` } });
    await ask("POST", "/key/delete", { token, body: { keys: [`${secret("virtual key")}x`] } });
    await ask("GET", `/key/info?key=${secret("virtual key")}x`, { token });
    await ask("GET", "/admin/v1/keys", { token: `${secret("admin token")}x` });
    await ask("GET", "/admin/v1/oidc/login");
    await ask("POST", "/admin/v1/config/validate", {
      token,
      body: { text: `auth: { key: ${secret("shared key")}, x: 1 }` },
    });
    await ask("POST", "/admin/v1/config/plan", { token, body: { text: `auth: { key: ${secret("shared key")} }` } });
    // What a variable holds is told by no comparison and no check, wherever it is asked for.
    const config = await ask("GET", "/admin/v1/config", { token });
    const running = parse(config.json.text);
    for (const name of ["SHARED", "SECRET", "HOOK", "TOKEN", "OIDC"]) {
      const variable = `\${${name}}`;
      const anthropic = { ...running.upstreams.anthropic, headers: { "x-a": variable } };
      const header = { ...running, upstreams: { ...running.upstreams, anthropic } };
      const wrong = [
        { ...running, aliases: { x: variable } },
        { ...running, server: { port: variable } },
      ];
      for (const text of [header, ...wrong].map((value) => stringify(value))) {
        for (const path of ["plan", "validate"]) {
          await ask("POST", `/admin/v1/config/${path}`, { token, body: { text } });
        }
      }
      const planned = await ask("POST", "/admin/v1/config/plan", { token, body: { text: stringify(header) } });
      expect(planned.json.changes, planned.text).toHaveLength(1);
      expect(planned.text).toContain(variable);
    }
    // An admin who is no owner may not even ask.
    for (const path of ["plan", "validate", "apply"]) {
      const body = { text: config.json.text };
      const refused = await ask("POST", `/admin/v1/config/${path}`, { token: secret("admin token"), body });
      expect(refused.status).toBe(403);
    }
    await asClient(secret("admin token"));
    await asClient(`${secret("virtual key")}x`);
    await asClient(secret("virtual key"), "no/such-model");
  });

  test("stands in no answer, metric, log line or file", async () => {
    const token = secret("admin.token");
    const { json: document } = await ask("GET", "/admin/v1/openapi.json");
    const { json: users } = await ask("GET", "/admin/v1/users", { token });
    const { json: keys } = await ask("GET", "/admin/v1/keys", { token });
    const ids: Record<string, string> = { "/admin/v1/keys/{id}": keys.data[0].id };
    const paths = document.paths as Record<string, object>;
    for (const path of Object.keys(paths)) {
      if (!("get" in (paths[path] ?? {}))) continue;
      const id = path.startsWith("/admin/v1/users") ? users.data[0].id : (ids[path] ?? "none");
      await ask("GET", path.replaceAll(/\{\w+\}/g, id), { token });
    }
    for (const path of ["/metrics", "/health", "/health/ready", "/health/upstreams"]) await ask("GET", path);
    await gateway.stop();
    for (const { child } of processes) said.push({ where: "the log", text: `${child.stdout}\n${child.stderr}` });
    for (const file of readdirSync(dir, { recursive: true }) as string[]) {
      const path = join(dir, file);
      // Two files hold this machine's own secrets on purpose.
      if (!statSync(path).isFile() || /(^|\/)(admin-token|secret)$/.test(file)) continue;
      said.push({ where: `the file ${file}`, text: readFileSync(path, "latin1") });
    }
    expect(said.length).toBeGreaterThan(60);
    const found = said.flatMap(({ where, text }) =>
      [...secrets].filter(([, value]) => text.includes(value)).map(([name]) => `${name} in ${where}`),
    );
    expect(found).toEqual([]);
  });
});
