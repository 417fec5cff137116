import { beforeAll, expect, test } from "vitest";
import { operator } from "../setup/admin.ts";
import { openaiClient, postChat, say } from "../setup/clients.ts";
import { askFor, inputTokens, ledgerRows, nano, nanoCost, prices, pricing } from "../setup/money.ts";
import { claudeModels, localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";
import { startSimulator } from "../setup/simulator-process.ts";
import { tempDir } from "../setup/temp-dir.ts";

let rig: Rig;
let call: ReturnType<typeof operator>;

beforeAll(async () => {
  const dir = tempDir();
  const house = await startSimulator(
    "--flavour",
    "openai",
    "--model",
    "tiered",
    "--model",
    "dated",
    "--model",
    "plain",
  );
  rig = await startRig({
    config: {
      storage: { dir },
      pricing: pricing({
        overrides: [
          ...(pricing()?.overrides ?? []),
          {
            model: "tiered",
            upstream: "house",
            input: 10,
            output: 20,
            perRequest: 0.5,
            tiers: [{ aboveInputTokens: 100, input: 30, output: 40 }],
          },
          { model: "dated", upstream: "house", input: 1, output: 1 },
          { model: "dated", upstream: "house", from: "2024-01-01", input: 2, output: 4 },
          { model: "dated", upstream: "house", from: "2199-01-01", input: 99, output: 99 },
        ],
      }),
    },
    upstreams: ({ local }) => ({
      house: {
        placement: "cloud",
        protocol: "openai-chat",
        baseUrl: `${house.url}/v1`,
        auth: { type: "none" },
        models: [{ id: "tiered" }, { id: "dated" }, { id: "plain" }],
      },
      owned: {
        preset: "vllm",
        baseUrl: `${local.url}/v1`,
        auth: { type: "bearer", key: "${LOCAL_API_KEY}" },
        cost: { perHour: 3.6, replicas: 2, tokensPerHour: 1_000_000 },
        models: [{ id: localModel, aliases: ["owned"], contextWindow: 32_768 }],
      },
    }),
  });
  call = operator(rig.gateway, dir);
});

/** The cost that an answer's header tells, in nano-dollars. */
async function toldCost(body: ReturnType<typeof askFor>): Promise<number | undefined> {
  const response = await postChat(rig.gateway.url, body);
  expect(response.status, await response.text()).toBe(200);
  const text = response.headers.get("x-router-cost-usd");
  if (text !== null) expect(text).toMatch(/^\d+(\.\d{1,9})?$/);
  return text === null ? undefined : nano(Number(text));
}

test("a whole answer tells what it cost, by its own model's price", async () => {
  const body = askFor(12);
  const input = inputTokens(body);
  expect(await toldCost(body)).toBe(nanoCost(prices.openai, input, 12));
  expect(await toldCost({ ...body, model: `vllm/${localModel}` })).toBe(nanoCost(prices.local, input, 12));
  expect(await toldCost({ ...body, model: claudeModels[0] })).toBe(nanoCost(prices.reference, input, 12));
});

test("the official client reads the cost of an answer from its headers", async () => {
  const content = "[[sim:tokens=30]]";
  const { data, response } = await openaiClient(rig.gateway.url)
    .chat.completions.create({ model: openaiModel, messages: [{ role: "user", content }] })
    .withResponse();
  const { prompt_tokens: input = 0, completion_tokens: output = 0 } = data.usage ?? {};
  expect(output).toBe(30);
  expect(nano(Number(response.headers.get("x-router-cost-usd")))).toBe(nanoCost(prices.openai, input, output));
});

test("a streamed answer has no such header, and its cost in the ledger", async () => {
  const response = await postChat(rig.gateway.url, askFor(7, { stream: true }));
  await response.text();
  expect(response.headers.get("x-router-cost-usd")).toBeNull();
  const id = response.headers.get("x-router-decision-id");
  await expect.poll(async () => (await call("GET", `/decisions/${id}`)).status, { timeout: 10_000 }).toBe(200);
  const { json } = await call("GET", `/decisions/${id}`);
  expect(nano(json.cost_usd)).toBe(nanoCost(prices.openai, inputTokens(askFor(7)), 7));
});

test("an answer of a model without a price tells none, and its row says unpriced", async () => {
  const body = askFor(7, { model: "plain" });
  expect(await toldCost(body)).toBeUndefined();
  const [row] = await ledgerRows(call, 1, "&model=plain");
  expect(row).toMatchObject({ unpriced: true, cost_usd: null, attempts: [{ price_version: null, cost_usd: null }] });
  expect((await call("GET", "/usage?model=plain")).json.data).toMatchObject([
    { requests: 1, unpriced: 1, cost_usd: null },
  ]);
});

test("an error tells no cost", async () => {
  const response = await postChat(rig.gateway.url, say("Hi", { model: openaiModel, messages: [] }));
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.headers.get("x-router-cost-usd")).toBeNull();
});

test("long prompts have their tier's rates for the whole request, and each request its fee", async () => {
  const short = askFor(10, { model: "tiered" });
  const long = askFor(10, { model: "tiered" }, "x".repeat(600));
  expect(inputTokens(long)).toBeGreaterThan(100);
  expect(await toldCost(short)).toBe(nanoCost({ input: 10, output: 20 }, inputTokens(short), 10) + nano(0.5));
  expect(await toldCost(long)).toBe(nanoCost({ input: 30, output: 40 }, inputTokens(long), 10) + nano(0.5));
});

test("of several prices the latest that has begun holds", async () => {
  const body = askFor(10, { model: "dated" });
  expect(await toldCost(body)).toBe(nanoCost({ input: 2, output: 4 }, inputTokens(body), 10));
});

test("a self-hosted model costs its machines' hours over the tokens they serve", async () => {
  const body = askFor(10, { model: `owned/${localModel}` });
  // Two replicas at 3.60 $ serve a million tokens an hour: 7.2 $ a million, whichever way they go.
  expect(await toldCost(body)).toBe(nanoCost({ input: 7.2, output: 7.2 }, inputTokens(body), 10));
});
