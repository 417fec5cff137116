import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { callAdmin, machineToken, operator } from "../setup/admin.ts";
import { runBun } from "../setup/child-process.ts";
import { postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, gatewayProgram, startGateway } from "../setup/gateway-process.ts";
import { prices, pricing } from "../setup/money.ts";
import {
  canaryEnv,
  claudeModels,
  localModel,
  openaiModel,
  startSimulators,
  type Upstreams,
  usualConfig,
} from "../setup/rig.ts";
import { tempDir, tempFile } from "../setup/temp-dir.ts";

const dir = tempDir();
const localId = `vllm/${localModel}`;
let simulators: Upstreams;
let gateway: GatewayProcess;
let config: FairleadConfigInput;
let traffic: string;
let rows: Row[];

/** What the export tells of one request, as far as the sums below need it. */
interface Row {
  readonly id: string;
  readonly asked: string;
  readonly served: { readonly target: string; readonly placement: "local" | "cloud" } | null;
  readonly tokens: { readonly input: number; readonly output: number };
  readonly cost_usd: number;
  readonly outcome: string;
  readonly duration_ms: number;
  readonly features?: unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: a report in JSON
type Report = any;

const long = "The station was closed for nine years before anyone asked what it might become. ".repeat(120);

/** Every way to ask: about sixty requests, one after the other. */
function requests(keys: Readonly<Record<"home" | "bound" | "tagged" | "named", string>>) {
  const asked: [Record<string, unknown>, Record<string, string>?][] = [];
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const own = bearer(keys.tagged);
  for (let i = 0; i < 8; i++) {
    asked.push([say(`[[sim:tokens=${5 + i}]] What is the capital of country ${i}?`, { stream: i % 2 === 0 }), own]);
    asked.push([say(`[[sim:tokens=9]] Write about harbours. ${long.slice(0, 6_500 + i * 100)}`), own]);
  }
  for (let i = 0; i < 4; i++) asked.push([say("[[sim:tokens=7]] Tell me a story.", { max_tokens: 2_000 + i }), own]);
  for (const model of [localModel, openaiModel, "smart", "desk", `openai/${openaiModel}`, "nobody-serves-this"]) {
    asked.push([say("[[sim:tokens=4]] Hello.", { model }), own]);
  }
  for (const key of [keys.home, keys.bound, keys.named]) {
    asked.push([say("[[sim:tokens=4]] Short."), bearer(key)]);
    asked.push([say(`[[sim:tokens=4]] Sum up. ${long}`), bearer(key)]);
    asked.push([say("[[sim:tokens=4]] Short again.", { max_tokens: 3_000 }), bearer(key)]);
  }
  asked.push([say(`[[sim:tokens=3]] Private. ${long}`), { ...own, "x-router-data": "local-only" }]);
  asked.push([say("[[sim:tokens=3]] Private and short."), { ...own, "x-router-data": "local-only" }]);
  for (const strategy of strategies) {
    asked.push([
      say("[[sim:tokens=6]] Which tide is the highest?", { stream: true }),
      { ...own, "x-router-strategy": strategy },
    ]);
    asked.push([say(`[[sim:tokens=6]] Shorten this. ${long}`), { ...own, "x-router-strategy": strategy }]);
  }
  asked.push([say("[[sim:tokens=3]] Only there.", { routing: { only: ["openai"] } }), own]);
  asked.push([say("[[sim:tokens=3]] Not there.", { routing: { ignore: ["@local"] } }), own]);
  asked.push([say("[[sim:tokens=3]] Cheap.", { routing: { max_cost_usd: 0.000_01, sort: "price" } }), own]);
  asked.push([say("[[sim:tokens=3]] In turn.", { routing: { order: ["anthropic"], allow_fallbacks: false } }), own]);
  return asked;
}

const strategies = [
  "auto",
  "fast",
  "quality",
  "cost",
  "long_context",
  "balanced",
  "hybrid",
  "local_first",
  "cloud_first",
  "capability",
  "self_hosted_only",
  "cloud_only",
];

beforeAll(async () => {
  simulators = await startSimulators();
  const usual = usualConfig(simulators);
  config = {
    ...usual,
    pricing: pricing(),
    storage: { dir },
    auth: { required: true },
    aliases: { smart: [claudeModels[0]] },
    models: { desk: { targets: ["@local", openaiModel] } },
  };
  gateway = await startGateway({ config, env: canaryEnv });
  const call = operator(gateway, dir);
  const make = async (body: object): Promise<string> => (await call("POST", "/keys", body)).json.key;
  const keys = {
    home: await make({ name: "home", models: ["@local"] }),
    bound: await make({ name: "bound", data: "local-only" }),
    tagged: await make({ name: "tagged", tags: ["shop"] }),
    named: await make({ name: "named", strategy: "quality" }),
  };
  const asked = requests(keys);
  for (const [body, headers] of asked) await (await postChat(gateway.url, body, headers)).text();
  const range = `from=${new Date(Date.now() - 3_600_000).toISOString()}&to=${new Date(Date.now() + 60_000).toISOString()}`;
  const path = `/admin/v1/ledger/export?format=jsonl&${range}`;
  await vi.waitFor(async () => {
    traffic = (await callAdmin(gateway.url, "GET", path, { token: machineToken(dir) })).text;
    rows = traffic.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as Row]));
    expect(rows.length).toBe(asked.length);
  }, 10_000);
}, 60_000);

/** Runs the real command, without a single key in its environment. */
async function replay(policy: FairleadConfigInput, args: readonly string[] = [], text = traffic) {
  const files = [tempFile("policy.yaml", JSON.stringify(policy)), tempFile("decisions.jsonl", text)];
  const { ending, stdout, stderr } = await runBun(
    gatewayProgram,
    ["replay", "--policy", files[0] ?? "", "--traffic", files[1] ?? "", ...args],
    { cwd: tempDir() },
  );
  return { ending, stdout, stderr, json: () => JSON.parse(stdout) as Report };
}

const usable = () => rows.filter(({ features }) => features !== undefined);
const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

describe("the same config", () => {
  test("moves nothing", async () => {
    const { ending, json, stderr } = await replay(config, ["--json", "--changes", "20"]);
    expect(stderr).toBe("");
    const report = json();
    expect(report.changes).toEqual([]);
    expect(report.moved).toBe(0);
    expect(report.requests).toBe(usable().length);
    expect(report.requests).toBeGreaterThan(55);
    expect(report.after).toEqual(report.before);
    expect(ending).toBe(0);
  });

  test("comes to the figures of the export", async () => {
    const report = (await replay(config, ["--json"])).json();
    const answered = usable().filter(({ outcome }) => outcome === "ok");
    const on = (placement: string) => answered.filter(({ served }) => served?.placement === placement).length;
    expect(report.before).toMatchObject({ local: on("local"), cloud: on("cloud") });
    expect(report.before.local).toBeGreaterThan(10);
    expect(report.before.cloud).toBeGreaterThan(10);
    expect(report.before.cost_usd).toBeCloseTo(sum(usable().map(({ cost_usd }) => cost_usd)), 9);
    expect(report.recorded_cost_usd).toBeCloseTo(report.before.cost_usd, 9);
    expect(report.before.latency.duration_ms).toBeCloseTo(
      sum(answered.map(({ duration_ms }) => duration_ms)) / answered.length,
      6,
    );
    const refused = rows.length - usable().length;
    expect(report.unusable).toEqual(refused === 0 ? {} : { "decided without a record of its features": refused });
  });
});

describe("another config", () => {
  test("shows what a cheaper one saves, priced token by token", async () => {
    // Whatever went to the dearest cloud goes to the cheap one.
    const { anthropic: _, ...upstreams } = config.upstreams ?? {};
    const cheaper: FairleadConfigInput = {
      ...config,
      upstreams,
      aliases: { smart: [openaiModel] },
      routing: { autoCloud: [openaiModel], longContext: [openaiModel], fallback: [openaiModel] },
    };
    const { ending, json } = await replay(cheaper, ["--json", "--changes", "100"]);
    const report = json();
    const moved = usable().filter(({ served }) => served?.target.startsWith("anthropic/"));
    // One asked for this provider and no other: it would be refused too, beside those that were refused already.
    const refused = sum(Object.values(report.after.errors as Record<string, number>));
    expect(refused).toBe(1 + usable().filter(({ served }) => served === null).length);
    expect(report.moved).toBe(moved.length);
    expect(moved.length).toBeGreaterThan(10);
    const price = ({ tokens }: Row, { input, output }: { input: number; output: number }) =>
      (tokens.input * input + tokens.output * output) / 1e6;
    const goesTo = new Map<string, string>(report.changes.map(({ id, after }: Report) => [id, after.target]));
    const costThere = (row: Row): number => {
      const to = goesTo.get(row.id);
      if (to === "error invalid_request") return 0;
      if (to === localId) return price(row, prices.local);
      expect(to).toBe(`openai/${openaiModel}`);
      return price(row, prices.openai);
    };
    const before = sum(usable().map((row) => row.cost_usd));
    const expected = before - sum(moved.map((row) => row.cost_usd)) + sum(moved.map(costThere));
    expect(report.after.cost_usd).toBeCloseTo(expected, 9);
    expect(report.before.cost_usd).toBeCloseTo(before, 9);
    const changes = sum(report.moves.map((move: Report) => move.cost_change_usd));
    expect(changes).toBeCloseTo(report.after.cost_usd - report.before.cost_usd, 9);
    expect(sum(report.moves.map((move: Report) => move.requests))).toBe(report.moved);
    expect(ending).toBe(0);
  });

  test("shows that a local-only one keeps everything on the premises, and what it refuses", async () => {
    const home: FairleadConfigInput = {
      ...config,
      upstreams: { vllm: config.upstreams?.["vllm"] ?? {} },
      aliases: {},
      models: {},
      routing: { unknownModel: "reject" },
    };
    const report = (await replay(home, ["--json"])).json();
    expect(report.after.cloud).toBe(0);
    expect(report.after.leaving).toEqual({ requests: 0, prompt_tokens: 0, bound: 0 });
    expect(report.before.leaving.requests).toBeGreaterThan(10);
    expect(report.after.errors.unknown_model).toBe(
      usable().filter(({ asked }) =>
        [openaiModel, "smart", "desk", `openai/${openaiModel}`, "nobody-serves-this"].includes(asked),
      ).length,
    );
    const served = report.after.local + sum(Object.values(report.after.errors as Record<string, number>));
    expect(served).toBe(report.requests);
  });

  test("is refused with exit code 1 where data that must stay would leave", async () => {
    const upstreams = { ...config.upstreams, vllm: { ...config.upstreams?.["vllm"], placement: "cloud" as const } };
    const { ending, stdout } = await replay({ ...config, upstreams, routing: { autoCloud: [localModel] } }, [
      "--live",
      "ready",
    ]);
    // A private request is still never sent to cloud: it is refused.
    expect(stdout).toContain("policy_forbids");
    expect(ending).toBe(0);
    // What only the record of another gateway's rule binds is not known to this policy.
    const bound = JSON.stringify({
      ...JSON.parse(traffic.split("\n").find((line) => line.includes(`"target":"${localId}"`)) ?? "{}"),
      confined_to: "local",
      exclusions: [{ target: `openai/${openaiModel}`, reason: "residency" }],
    });
    const cloudFirst = { ...config, routing: { ...config.routing, strategy: "cloud_first" } };
    const leak = await replay(cloudFirst, [], `${bound}\n`);
    expect(leak.ending).toBe(1);
    expect(leak.stdout).toContain("DATA THAT MUST STAY WOULD LEAVE");
    expect(leak.stdout).toContain(JSON.parse(bound).id);
  });
});

describe("the traffic", () => {
  test("may be single decisions as clients read them", async () => {
    const call = operator(gateway, dir);
    const { json: key } = await call("POST", "/keys", { name: "reader" });
    const answer = await postChat(gateway.url, say("[[sim:tokens=2]] Hi"), { authorization: `Bearer ${key.key}` });
    await answer.text();
    const id = answer.headers.get("x-router-decision-id");
    const decision = await fetch(`${gateway.url}/v1/decisions/${id}`, {
      headers: { authorization: `Bearer ${key.key}` },
    });
    const report = (await replay(config, ["--json"], `${await decision.text()}\n`)).json();
    expect(report).toMatchObject({ requests: 1, moved: 0, compared: 0, before: { unpriced: 1 } });
  });

  test("may come over HTTP, and bad lines are counted, not fatal", async () => {
    const noise = 'not json\n{"id":"x"}\n';
    const report = (await replay(config, ["--json", "--limit", "5"], noise + traffic)).json();
    expect(report).toMatchObject({ requests: 5, unusable: { "not JSON": 1, "no decision": 1 } });
    const policy = tempFile("policy.yaml", JSON.stringify(config));
    const url = `${gateway.url}/admin/v1/ledger/export?format=jsonl&from=${new Date(Date.now() - 3_600_000).toISOString()}&to=${new Date().toISOString()}`;
    const args = ["replay", "--policy", policy, "--traffic-url", url];
    const refused = await runBun(gatewayProgram, args);
    expect(refused.ending).toBe(1);
    expect(refused.stderr).toContain("FAIRLEAD_ADMIN_TOKEN");
    const { ending, stdout } = await runBun(gatewayProgram, args, { env: { FAIRLEAD_ADMIN_TOKEN: machineToken(dir) } });
    expect(ending).toBe(0);
    expect(stdout).toContain("Every request goes where it went.");
  });

  test("must be given, and hold something", async () => {
    const policy = tempFile("policy.yaml", JSON.stringify(config));
    expect((await runBun(gatewayProgram, ["replay"])).ending).toBe(2);
    expect((await runBun(gatewayProgram, ["replay", "--policy", policy])).stderr).toContain("--traffic");
    expect((await replay(config, [], "\n")).stderr).toContain("no decision to make again");
    const wrong = await replay({ ...config, routing: { strategy: "nothing-like-it" } });
    expect(wrong.ending).toBe(2);
  });
});

test("the export carries what the decision was made from, and its CSV has the columns it always had", async () => {
  const row = JSON.parse(traffic.split("\n")[0] ?? "") as Record<string, unknown>;
  expect(row).toMatchObject({
    features: { task: expect.any(String) },
    order: expect.any(Array),
    key: expect.any(String),
  });
  expect(row["key_facts"]).toMatchObject({ name: "tagged", local_only: false });
  const range = `from=${new Date(Date.now() - 3_600_000).toISOString()}&to=${new Date(Date.now() + 60_000).toISOString()}`;
  const csv = await callAdmin(gateway.url, "GET", `/admin/v1/ledger/export?format=csv&${range}`, {
    token: machineToken(dir),
  });
  expect(csv.text.split("\r\n")[0]?.split("\n")[0]).toBe(
    "id,at,key,team,user,tags,asked,stream,reason,target,upstream,provider,model,placement,attempts,status,outcome,error,input_tokens,cached_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,estimated,orphaned,cost_usd,unpriced,reference_cost_usd,duration_ms,first_content_ms",
  );
});
