import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeAll, expect, test } from "vitest";
import { operator } from "../setup/admin.ts";
import { postChat } from "../setup/clients.ts";
import { freePort } from "../setup/free-port.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { askFor, inputTokens, nano, nanoCost, prices, pricing } from "../setup/money.ts";
import { canaryEnv, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { tempDir } from "../setup/temp-dir.ts";

const secret = "whsec-canary-93b1f0aa52";
const body = askFor(10, { max_tokens: 10 });
const each = nanoCost(prices.openai, inputTokens(body), 10);

interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  readonly event: any;
}

let simulators: Upstreams;
const servers = new Set<Server>();

beforeAll(async () => {
  simulators = await startSimulators();
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  servers.clear();
});

/** A receiver that answers with the next of these statuses, and 204 afterwards. */
async function receive(port = 0, statuses: number[] = []): Promise<{ url: string; deliveries: Delivery[] }> {
  const deliveries: Delivery[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      deliveries.push({ headers: request.headers, body: text, event: JSON.parse(text) });
      response.writeHead(statuses.shift() ?? 204).end();
    });
  });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, deliveries };
}

async function start(url: string, requests: number): Promise<{ gateway: GatewayProcess; dir: string }> {
  const dir = tempDir();
  const gateway = await startGateway({
    config: {
      ...usualConfig(simulators),
      pricing: pricing(),
      storage: { dir },
      budgets: { day: { scope: "total", limitUsd: (each * requests) / 1e9, hard: false } },
      webhooks: [{ url, secret: { env: "WEBHOOK_SECRET" } }],
    },
    env: { ...canaryEnv, WEBHOOK_SECRET: secret },
  });
  return { gateway, dir };
}

async function ask(gateway: GatewayProcess, times: number): Promise<void> {
  for (let i = 0; i < times; i++) expect((await postChat(gateway.url, body)).status).toBe(200);
}

/** As docs/guides/budgets.md has it. */
function isFromFairlead(headers: IncomingHttpHeaders, text: string, key: string): boolean {
  const timestamp = String(headers["x-fairlead-timestamp"] ?? "");
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  const expected = Buffer.from(`v1=${createHmac("sha256", key).update(`${timestamp}.${text}`).digest("hex")}`);
  const given = Buffer.from(String(headers["x-fairlead-signature"] ?? ""));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const thresholds = (deliveries: readonly Delivery[]): number[] => deliveries.map(({ event }) => event.threshold);

test("each threshold is told once, signed, with what was spent", async () => {
  const { url, deliveries } = await receive();
  const { gateway, dir } = await start(url, 10);
  await ask(gateway, 4);
  expect(deliveries).toEqual([]);
  await ask(gateway, 3);
  await expect.poll(() => thresholds(deliveries)).toEqual([0.5]);
  await ask(gateway, 6);
  await expect.poll(() => thresholds(deliveries)).toEqual([0.5, 0.8, 1]);
  for (const { headers, body: text, event } of deliveries) {
    expect(isFromFairlead(headers, text, secret)).toBe(true);
    expect(isFromFairlead(headers, `${text} `, secret)).toBe(false);
    expect(isFromFairlead(headers, text, "another secret")).toBe(false);
    expect(headers).toMatchObject({ "x-fairlead-event": "budget.reached", "x-fairlead-delivery": event.id });
    expect(event).toMatchObject({
      type: "budget.reached",
      budget: { id: "config:day", name: "day", scope: "total", hard: false, window: "day", timeZone: "UTC" },
    });
    expect(nano(event.spentUsd)).toBe(Math.ceil(event.threshold * 10) * each);
    expect(nano(event.budget.limitUsd)).toBe(10 * each);
    expect(event.windowStart).toMatch(/T00:00:00.000Z$/);
  }
  expect(new Set(deliveries.map(({ event }) => event.id)).size).toBe(3);
  // Nothing but the receiver ever sees the secret.
  const config = await operator(gateway, dir)("GET", "/config");
  expect(config.text).not.toContain(secret);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).not.toContain(secret);
  expect(gateway.child.stdout + gateway.child.stderr).not.toContain(secret);
  expect(deliveries.some(({ headers, body: text }) => (JSON.stringify(headers) + text).includes(secret))).toBe(false);
  await gateway.stop();
  expect(thresholds(deliveries)).toEqual([0.5, 0.8, 1]);
});

test("a receiver that is down holds no request up, and is told once it is back", async () => {
  const port = await freePort();
  const { gateway } = await start(`http://127.0.0.1:${port}/events`, 2);
  await ask(gateway, 2);
  const { deliveries } = await receive(port);
  await expect.poll(() => thresholds(deliveries), { timeout: 15_000 }).toEqual([0.5, 1]);
  for (const { headers, body: text } of deliveries) expect(isFromFairlead(headers, text, secret)).toBe(true);
  expect(gateway.child.stdout + gateway.child.stderr).not.toContain(secret);
});

test("a delivery that the receiver failed at comes again under the same id; one that it refused does not", async () => {
  const { url, deliveries } = await receive(0, [503, 204, 400]);
  const { gateway } = await start(url, 2);
  await ask(gateway, 2);
  await expect.poll(() => thresholds(deliveries), { timeout: 15_000 }).toEqual([0.5, 0.5, 1]);
  const ids = deliveries.map(({ headers }) => headers["x-fairlead-delivery"]);
  expect(ids[0]).toBe(ids[1]);
  expect(ids[2]).not.toBe(ids[0]);
  await gateway.stop();
  expect(deliveries.length).toBe(3);
});

test("a threshold that was told is not told again after a restart", async () => {
  const { url, deliveries } = await receive();
  const dir = tempDir();
  const config = {
    ...usualConfig(simulators),
    pricing: pricing(),
    storage: { dir },
    budgets: { day: { scope: "total" as const, limitUsd: (each * 4) / 1e9, hard: false } },
    webhooks: [{ url, secret: { env: "WEBHOOK_SECRET" } }],
  };
  const env = { ...canaryEnv, WEBHOOK_SECRET: secret };
  const first = await startGateway({ config, env });
  await ask(first, 2);
  await expect.poll(() => thresholds(deliveries)).toEqual([0.5]);
  await first.stop();
  const second = await startGateway({ config, env });
  const spent = async () => (await operator(second, dir)("GET", "/budgets")).json.data[0].current.spent_usd;
  await expect.poll(async () => nano(await spent())).toBe(2 * each);
  await ask(second, 1);
  await ask(second, 1);
  await expect.poll(() => thresholds(deliveries)).toEqual([0.5, 1]);
});

test("every decision arrives in signed batches, also when the receiver fails once, and none is left at the end", async () => {
  const { url, deliveries } = await receive(0, [500]);
  const dir = tempDir();
  const gateway = await startGateway({
    config: {
      ...usualConfig(simulators),
      pricing: pricing(),
      storage: { dir },
      webhooks: [{ url, secret: { env: "WEBHOOK_SECRET" }, events: ["decision"] }],
    },
    env: { ...canaryEnv, WEBHOOK_SECRET: secret },
  });
  const prompt = "prompt-canary-5f02";
  const ids = new Set<string>();
  for (let i = 0; i < 250; i += 25) {
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => postChat(gateway.url, askFor(2, { max_tokens: 2 }, prompt))),
    );
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      ids.add(answer.headers.get("x-router-decision-id") ?? "");
    }
  }
  await gateway.stop();
  const [first, again] = deliveries;
  expect(again?.headers["x-fairlead-delivery"]).toBe(first?.headers["x-fairlead-delivery"]);
  const taken = deliveries.slice(1);
  for (const { headers, body: text, event } of taken) {
    expect(isFromFairlead(headers, text, secret)).toBe(true);
    expect(event).toMatchObject({ type: "decision.batch", dropped: 0 });
    expect(event.data.length).toBeGreaterThan(0);
    expect(event.data.length).toBeLessThanOrEqual(100);
    for (const hidden of [prompt, secret, ...Object.values(canaryEnv)]) expect(text).not.toContain(hidden);
  }
  // Far fewer deliveries than decisions.
  expect(taken.length).toBeLessThan(60);
  const told = taken.flatMap(({ event }) => event.data);
  expect(told.length).toBe(250);
  expect(new Set(told.map(({ id }) => id))).toEqual(ids);
  expect(told[0]).toMatchObject({
    backend: "cloud",
    reason: "explicit_model",
    outcome: "ok",
    attempts: [{ error: null }],
  });
  expect(nano(told[0].cost_usd)).toBeGreaterThan(0);
});
