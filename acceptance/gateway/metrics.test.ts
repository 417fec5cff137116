import { beforeAll, expect, test, vi } from "vitest";
import { postChat, say } from "../setup/clients.ts";
import { localModel, type Rig, startRig } from "../setup/rig.ts";

let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({ config: { routing: { retriesPerTarget: 0, breaker: { failures: 1_000 } } } });
  url = rig.gateway.url;
});

type Samples = ReadonlyMap<string, number>;

async function scrape(): Promise<Samples> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line);
    if (match?.[1] !== undefined) samples.set(match[1], Number(match[2]));
  }
  return samples;
}

/** What moved, without buckets and sums, and without what is only kept at this moment. */
function moved(before: Samples, after: Samples): Record<string, number> {
  const names = [...after.keys()].filter((name) => !/_bucket\{|_sum(?:\{|$)|_ledger_|_state_entries/.test(name));
  const changes = names.map((name) => [name, (after.get(name) ?? 0) - (before.get(name) ?? 0)] as const);
  return Object.fromEntries(changes.filter(([, change]) => change !== 0));
}

async function deltaOf(act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await scrape();
  await act();
  return moved(before, await scrape());
}

const send = async (body: Parameters<typeof postChat>[1], headers?: Record<string, string>) => {
  const response = await postChat(url, body, headers);
  return { response, text: await response.text() };
};

test("each request moves the counters of its target by one, streamed or not", async () => {
  const change = await deltaOf(async () => {
    await send(say("Hi"));
    await send(say("Hi", { stream: true }));
    await send(say("Hi", { model: "cloud" }));
  });
  expect(change).toEqual({
    'llm_router_requests_total{target="vllm",status="200"}': 2,
    'llm_router_requests_total{target="anthropic",status="200"}': 1,
    'llm_router_request_duration_seconds_count{target="vllm"}': 2,
    'llm_router_request_duration_seconds_count{target="anthropic"}': 1,
    'llm_router_routing_decisions_total{target="vllm",type="cluster",reason="local_adequate"}': 2,
    'llm_router_routing_decisions_total{target="anthropic",type="external",reason="alias"}': 1,
    llm_router_overhead_seconds_count: 3,
  });
});

test("a fallback is counted once, from where to where and why", async () => {
  await rig.local.setFault({ spec: "status=500", times: 1 });
  const change = await deltaOf(() => send(say("Hi", { model: "local" })));
  expect(change).toEqual({
    'llm_router_requests_total{target="anthropic",status="200"}': 1,
    'llm_router_request_duration_seconds_count{target="anthropic"}': 1,
    'llm_router_routing_decisions_total{target="anthropic",type="external",reason="alias"}': 1,
    'llm_router_fallbacks_total{from="vllm",to="anthropic",reason="upstream_error"}': 1,
    llm_router_overhead_seconds_count: 1,
  });
});

test("a request refused before a decision has no target and no decision", async () => {
  const change = await deltaOf(() => send("{broken"));
  expect(change).toMatchObject({ 'llm_router_requests_total{target="none",status="400"}': 1 });
  expect(Object.keys(change).filter((name) => name.startsWith("llm_router_routing_decisions_total"))).toEqual([]);
});

test("a client that left is counted as such", async () => {
  const before = await scrape();
  const controller = new AbortController();
  const call = postChat(url, say("[[sim:ttft=60000]]", { model: "local" }), {}, controller.signal);
  await rig.local.waitForHit({ method: "POST", contains: "ttft", ended: false });
  controller.abort();
  await expect(call).rejects.toThrow();
  await vi.waitFor(async () => {
    const change = moved(before, await scrape());
    expect(change['llm_router_requests_total{target="vllm",status="499"}']).toBe(1);
  });
});

test("unknown names from clients never become labels", async () => {
  const before = (await scrape()).size;
  for (let i = 0; i < 20; i++) await send(say("Hi", { model: `made-up-${i}` }), { "x-api-key": `key-${i}` });
  const after = await scrape();
  expect([...after.keys()].filter((name) => name.includes("made-up"))).toEqual([]);
  // One new reason at most: a histogram adds nothing.
  expect(after.size - before).toBeLessThanOrEqual(1);
});

test("every request writes exactly one `route_decision` line with what was decided and used", async () => {
  const answers = [
    await send(say("Hi", { model: "local" })),
    await send(say("Hi", { model: "cloud", stream: true })),
    await send(say("Hi", { model: "made-up" })),
    await send(say("Hi", { model: "local", temperature: 9 })),
  ];
  const ids = answers.map(({ response }) => response.headers.get("x-router-decision-id") ?? "");
  expect(new Set(ids).size).toBe(4);
  const lines = await Promise.all(
    ids.map((id) => rig.gateway.child.record((record) => record["id"] === id, `the decision ${id}`)),
  );
  expect(lines[0]).toMatchObject({
    event: "route_decision",
    alias: "local",
    reason: "alias",
    backend: "local",
    target: `vllm/${localModel}`,
    stream: false,
    status: 200,
    outcome: "ok",
    promptTokensEstimate: expect.any(Number),
    inputTokens: expect.any(Number),
    outputTokens: expect.any(Number),
    durationMs: expect.any(Number),
    overheadMs: expect.any(Number),
  });
  expect(lines[0]?.["inputTokens"]).toBeGreaterThan(0);
  expect(lines[1]).toMatchObject({ backend: "cloud", stream: true, outcome: "ok", alias: "cloud" });
  expect(lines[1]?.["outputTokens"]).toBeGreaterThan(0);
  expect(lines[2]).toMatchObject({ alias: "made-up", reason: "unknown_model", outcome: "ok" });
  expect(lines[3]).toMatchObject({ status: 400, outcome: "error", error: "invalid_request" });
  await rig.gateway.stop();
  for (const id of ids) {
    const own = rig.gateway.child.records.filter(
      (record) => record["id"] === id && record["event"] === "route_decision",
    );
    expect(own).toHaveLength(1);
  }
});
