import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { callAdmin, machineToken, operator } from "../setup/admin.ts";
import { runBun } from "../setup/child-process.ts";
import { type ChatBody, postChat } from "../setup/clients.ts";
import { gatewayProgram } from "../setup/gateway-process.ts";
import { askFor, inputTokens, ledgerRows, makeKey, nano, nanoCost, prices, pricing } from "../setup/money.ts";
import { hasPostgres, startPostgres } from "../setup/postgres-server.ts";
import { testWith } from "../setup/requires.ts";
import { claudeModels, localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

type Dimension = "model" | "target" | "placement" | "key" | "team" | "tag" | "day";
const dimensions: readonly Dimension[] = ["model", "target", "placement", "key", "team", "tag", "day"];
const claude = claudeModels[1];

/** One request of the known traffic, and what must be told of it. Money in nano-dollars. */
interface Expected {
  readonly group: Readonly<Record<Exclude<Dimension, "tag">, string | null>>;
  readonly tags: readonly string[];
  readonly input: number;
  readonly output: number;
  readonly cost: number | null;
  readonly reference: number;
}

interface Sum {
  requests: number;
  input: number;
  output: number;
  cost: number | null;
  reference: number;
  saved: number;
}

const nothing: Sum = { requests: 0, input: 0, output: 0, cost: null, reference: 0, saved: 0 };

function add(sum: Sum, { input, output, cost, reference }: Expected): Sum {
  return {
    requests: sum.requests + 1,
    input: sum.input + input,
    output: sum.output + output,
    cost: cost === null ? sum.cost : (sum.cost ?? 0) + cost,
    reference: sum.reference + reference,
    saved: sum.saved + reference - (cost ?? 0),
  };
}

/** What the report must say, by the text of its group. A request with several tags stands in the row of each. */
function grouped(traffic: readonly Expected[], by: readonly Dimension[]): Record<string, Sum> {
  const sums: Record<string, Sum> = {};
  for (const one of traffic) {
    const tags = by.includes("tag") && one.tags.length > 0 ? one.tags : [null];
    for (const tag of tags) {
      const name = JSON.stringify(Object.fromEntries(by.map((key) => [key, key === "tag" ? tag : one.group[key]])));
      sums[name] = add(sums[name] ?? nothing, one);
    }
  }
  return sums;
}

// biome-ignore lint/suspicious/noExplicitAny: rows of several answers
type Row = any;

function told(rows: readonly Row[], by: readonly Dimension[]): Record<string, Sum> {
  return Object.fromEntries(
    rows.map((row) => [
      JSON.stringify(Object.fromEntries(by.map((key) => [key, row.group[key]]))),
      {
        requests: row.requests,
        input: row.tokens.input,
        output: row.tokens.output,
        cost: row.cost_usd === null ? null : nano(row.cost_usd),
        reference: nano(row.reference_cost_usd),
        saved: nano(row.saved_usd),
      },
    ]),
  );
}

const pairs = dimensions.flatMap((one, i) => dimensions.slice(i + 1).map((other) => [one, other] as const));

interface Ledger {
  readonly url: string;
  readonly dir: string;
  readonly call: ReturnType<typeof operator>;
  readonly traffic: readonly Expected[];
  readonly ids: ReadonlySet<string>;
  readonly keys: Readonly<Record<"search" | "lone", { id: string; headers: { authorization: string } }>>;
}

/** Starts a gateway on this store and sends it traffic whose every figure is known. */
async function startWithTraffic(storageUrl: (dir: string) => Promise<string>): Promise<Ledger & { rig: Rig }> {
  const dir = tempDir();
  // Replicas that share a database must hash keys alike, so such a config has to name the secret.
  const auth = { secret: { env: "HASH_SECRET" } };
  const rig = await startRig({
    config: { auth, storage: { dir, url: await storageUrl(dir) }, pricing: pricing() },
    env: { HASH_SECRET: "a-secret-of-at-least-32-characters-for-tests" },
  });
  const { url } = rig.gateway;
  const call = operator(rig.gateway, dir);
  await call("POST", "/teams", { name: "search", tags: ["team-tag"] });
  const keys = {
    search: await makeKey(call, "search", { team: "search", tags: ["blue"] }),
    lone: await makeKey(call, "lone"),
  };
  const traffic: Expected[] = [];
  const ids = new Set<string>();
  const send = async (key: keyof typeof keys, model: string, tokens: number, tag?: string, stream = false) => {
    const body: ChatBody = askFor(tokens, { model, stream });
    const response = await postChat(url, body, {
      ...keys[key].headers,
      ...(tag !== undefined && { "x-router-tags": tag }),
    });
    expect(response.status, await response.text()).toBe(200);
    const day = new Date().toISOString().slice(0, 10);
    ids.add(response.headers.get("x-router-decision-id") ?? "");
    const upstream = model === localModel ? "vllm" : model === openaiModel ? "openai" : "anthropic";
    const price = prices[upstream === "vllm" ? "local" : upstream];
    const input = inputTokens(body);
    const placement = upstream === "vllm" ? "local" : "cloud";
    const team = key === "search" ? "search" : null;
    traffic.push({
      group: { model, target: `${upstream}/${model}`, placement, key: keys[key].id, team, day },
      tags: [...(key === "search" ? ["blue", "team-tag"] : []), ...(tag === undefined ? [] : [tag])],
      input,
      output: tokens,
      cost: nanoCost(price, input, tokens),
      reference: nanoCost(prices.reference, input, tokens),
    });
  };
  await send("search", openaiModel, 10);
  await send("search", openaiModel, 20, "night", true);
  await send("search", localModel, 30, "night");
  await send("lone", localModel, 40, undefined, true);
  await send("lone", claude, 50, "night");
  await send("lone", openaiModel, 60);
  await ledgerRows(call, traffic.length);
  return { url, dir, call, traffic, ids, keys, rig };
}

async function cli({ url, dir }: Ledger, ...args: string[]): Promise<string> {
  const { ending, stdout, stderr } = await runBun(gatewayProgram, [...args, "--url", url, "--dir", dir]);
  expect(ending, stderr).toBe(0);
  return stdout;
}

async function checkReports(ledger: Ledger): Promise<void> {
  const { call, traffic, keys } = ledger;
  const report = async (query: string): Promise<Row[]> => {
    const { status, json, text } = await call("GET", `/usage?${query}`);
    expect(status, text).toBe(200);
    return json.data;
  };
  expect(told(await report(""), [])).toEqual(grouped(traffic, []));
  for (const by of [...dimensions.map((one) => [one]), ...pairs, ...pairs.map(([one, other]) => [other, one])]) {
    const rows = await report(`group_by=${by.join(",")}`);
    expect(told(rows, by as Dimension[]), by.join(",")).toEqual(grouped(traffic, by as Dimension[]));
    const { json } = await call("GET", `/savings?group_by=${by.join(",")}`);
    const savings = json.data.map((row: Row) => ({ ...row, tokens: rows.find((one) => sameGroup(one, row))?.tokens }));
    expect(told(savings, by as Dimension[]), by.join(",")).toEqual(grouped(traffic, by as Dimension[]));
    expect(json.reference).toBe("anthropic/claude-opus-4-8");
  }
  const filters: readonly (readonly [string, (one: Expected) => boolean])[] = [
    [`model=${encodeURIComponent(localModel)}`, ({ group }) => group.model === localModel],
    ["placement=cloud", ({ group }) => group.placement === "cloud"],
    ["team=search", ({ group }) => group.team === "search"],
    [`key=${keys.lone.id}`, ({ group }) => group.key === keys.lone.id],
    ["tag=night&placement=local", ({ group, tags }) => group.placement === "local" && tags.includes("night")],
    [`target=${encodeURIComponent(`openai/${openaiModel}`)}`, ({ group }) => group.model === openaiModel],
  ];
  for (const [query, matches] of filters) {
    expect(told(await report(query), []), query).toEqual(grouped(traffic.filter(matches), []));
  }
  expect(await report("team=nobody")).toEqual([]);
  for (const query of ["group_by=model,model", "group_by=colour", "group_by=model,key,day", "from=2026-13-01"]) {
    expect((await call("GET", `/usage?${query}`)).status, query).toBe(400);
  }
}

const sameGroup = (one: Row, other: Row): boolean => JSON.stringify(one.group) === JSON.stringify(other.group);

async function checkCommands(ledger: Ledger): Promise<void> {
  const { call, traffic } = ledger;
  const by = ["model", "day"] as const;
  const usage = JSON.parse(await cli(ledger, "usage", "--group-by", "model,day", "--json"));
  expect(told(usage.data, by)).toEqual(grouped(traffic, by));
  expect(usage.data).toEqual((await call("GET", "/usage?group_by=model,day")).json.data);
  const savings = JSON.parse(await cli(ledger, "savings", "--json"));
  const all = grouped(traffic, [])["{}"] as Sum;
  expect(savings.data.length).toBe(1);
  expect(savings.data[0]).toMatchObject({ requests: 6, compared: 6 });
  expect(nano(savings.data[0].saved_usd)).toBe(all.saved);
  expect(nano(savings.data[0].cost_usd)).toBe(all.cost);

  const table = await cli(ledger, "usage", "--group-by", "model");
  const line = table.split("\n").find((one) => one.startsWith(openaiModel));
  const mine = grouped(traffic, ["model"])[JSON.stringify({ model: openaiModel })] as Sum;
  expect(line?.trim().split(/\s{2,}/)).toEqual(
    expect.arrayContaining([openaiModel, "3", String(mine.input), String(mine.output)]),
  );
  expect(Number(line?.match(/\$?([\d.]+) ?\$?\s*$/)?.[1])).toBeCloseTo((mine.cost ?? 0) / 1e9, 4);
  expect(table).toMatch(/^total/m);
  expect(await cli(ledger, "savings")).toContain(`${Math.round((all.saved / all.reference) * 100)} %`);

  const [head = "", ...lines] = (await cli(ledger, "usage", "--group-by", "key", "--csv")).trim().split("\n");
  const columns = head.split(",");
  const costs = lines.map((one) => nano(Number(one.split(",")[columns.indexOf("cost_usd")])));
  expect(costs.reduce((sum, cost) => sum + cost, 0)).toBe(all.cost);
  expect(lines.length).toBe(2);
}

async function checkExports({ url, dir, traffic, ids, call }: Ledger): Promise<void> {
  const token = machineToken(dir);
  const read = (query: string) => callAdmin(url, "GET", `/admin/v1/ledger/export?${query}`, { token });
  const all = grouped(traffic, [])["{}"] as Sum;
  const jsonl = await read("format=jsonl");
  const rows = jsonl.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(new Set(rows.map(({ id }) => id))).toEqual(ids);
  expect(rows.reduce((sum, row) => sum + nano(row.cost_usd), 0)).toBe(all.cost);
  expect(rows.reduce((sum, row) => sum + nano(row.reference_cost_usd), 0)).toBe(all.reference);
  for (const row of rows) expect((await call("GET", `/decisions/${row.id}`)).json).toEqual(row);
  const csv = await read("format=csv");
  expect(csv.headers.get("content-type")).toContain("text/csv");
  const [head = "", ...lines] = csv.text.trim().split("\r\n");
  const columns = head.split(",");
  const cell = (line: string, name: string): string => line.split(",")[columns.indexOf(name)] ?? "";
  expect(new Set(lines.map((line) => cell(line, "id")))).toEqual(ids);
  expect(lines.reduce((sum, line) => sum + nano(Number(cell(line, "cost_usd"))), 0)).toBe(all.cost);
  expect(lines.filter((line) => cell(line, "tags").split(" ").includes("night")).length).toBe(3);
  const filtered = (await read("format=jsonl&placement=local")).text.trim().split("\n");
  expect(filtered.length).toBe(2);
}

/** The same three checks for each store. */
const checks: readonly (readonly [string, (ledger: Ledger) => Promise<void>])[] = [
  ["reports by any two dimensions, and what was saved, are the hand-computed sums", checkReports],
  ["`fairlead usage` and `fairlead savings` answer the same", checkCommands],
  ["exports have every row, as CSV and as JSON lines", checkExports],
];

describe("in SQLite", () => {
  let ledger: Ledger & { rig: Rig };
  beforeAll(async () => {
    ledger = await startWithTraffic(async (dir) => `sqlite:${join(dir, "ledger.sqlite")}`);
  });
  afterAll(() => ledger.rig.gateway.stop());
  for (const [name, check] of checks) test(name, () => check(ledger), 30_000);
});

describe("in PostgreSQL", () => {
  let ledger: Ledger & { rig: Rig };
  beforeAll(async () => {
    if (!hasPostgres) return;
    const server = await startPostgres();
    ledger = await startWithTraffic(async () => server.createDatabase());
  });
  afterAll(() => ledger?.rig.gateway.stop());
  for (const [name, check] of checks) testWith("postgres", hasPostgres, name, () => check(ledger), 30_000);
});
