import type { UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChatBody, say } from "../setup/clients.ts";
import {
  type Hybrid,
  type HybridOptions,
  type HybridSimulators,
  reached,
  resetHybrid,
  startHybrid,
  startHybridSimulators,
} from "../setup/hybrid-rig.ts";
import { makeKey } from "../setup/money.ts";
import { localModel } from "../setup/rig.ts";

const regions = ["eu-central", "eu-west", "us-east", "ap-south"] as const;

let simulators: HybridSimulators;
let hybrid: Hybrid;

/** One model on an upstream in each region, and on one that says nothing of its region. */
function upstreamsIn(): HybridOptions["upstreams"] {
  const upstream: UpstreamConfigInput = {
    preset: "vllm",
    baseUrl: `${simulators.vllm.url}/v1`,
    auth: { type: "bearer", key: "${LOCAL_API_KEY}" },
    models: [{ id: localModel, contextWindow: 32_768 }],
  };
  const placed = regions.map((region) => [region, { ...upstream, region }] as const);
  return Object.fromEntries([["anywhere", upstream], ...placed.reverse()]);
}

beforeAll(async () => {
  simulators = await startHybridSimulators();
  hybrid = await startHybrid(simulators, { only: ["anthropic"], upstreams: upstreamsIn() ?? {} });
});
beforeEach(() => resetHybrid(simulators));

const order = async (body: ChatBody, headers: Record<string, string> = {}, by = hybrid): Promise<string[]> => {
  const response = await fetch(`${by.url}/v1/route`, { method: "POST", headers, body: JSON.stringify(body) });
  const { order: targets } = (await response.json()) as { order: string[] };
  return targets.map((target) => target.split("/")[0] ?? "").filter((name) => name !== "anthropic");
};

const servedIn = async (body: ChatBody, headers: Record<string, string> = {}, by = hybrid): Promise<string> => {
  await simulators.vllm.clearHits();
  const { status, target, text } = await by.ask(body, headers);
  expect(status, text).toBe(200);
  expect(await reached({ vllm: simulators.vllm })).toEqual([`vllm/${localModel}`]);
  return target?.split("/")[0] ?? "";
};

describe("a request's region prefers near upstreams", () => {
  test.each(regions)("%s by header, and by the body", async (region) => {
    expect(await servedIn(say("Hi"), { "x-router-region": region })).toBe(region);
    expect(await servedIn(say("Hi", { routing: { region } }))).toBe(region);
  });

  test("the header beats the body, and the body beats the key's region", async () => {
    const own = await startHybrid(simulators, { only: ["anthropic"], upstreams: upstreamsIn() ?? {} });
    const { headers } = await makeKey(own.call, "placed", { region: "ap-south" });
    expect(await servedIn(say("Hi"), headers, own)).toBe("ap-south");
    const body = say("Hi", { routing: { region: "us-east" } });
    expect(await servedIn(body, headers, own)).toBe("us-east");
    expect(await servedIn(body, { ...headers, "x-router-region": "eu-west" }, own)).toBe("eu-west");
  });

  test("then those whose name begins alike, then those of no known region, then the rest", async () => {
    const [first, second, third, ...rest] = await order(say("Hi"), { "x-router-region": "eu-west" });
    expect([first, second, third]).toEqual(["eu-west", "eu-central", "anywhere"]);
    expect(rest.sort()).toEqual(["ap-south", "us-east"]);
    // Nobody is there: its neighbours serve.
    expect(["eu-west", "eu-central"]).toContain(await servedIn(say("Hi"), { "x-router-region": "eu-north" }));
  });

  test("a region that fails is left for the next near one", async () => {
    await simulators.vllm.setFault({ spec: "status=500", times: 1 });
    const { target, fallback } = await hybrid.ask(say("Hi"), { "x-router-region": "eu-west" });
    expect(target).toBe(`eu-central/${localModel}`);
    expect(fallback).toBe(`eu-west/${localModel};upstream_error`);
  });

  test("the decision tells the region", async () => {
    const { id } = await hybrid.ask(say("Hi"), { "x-router-region": "us-east" });
    const decision = (await (await fetch(`${hybrid.url}/v1/decisions/${id}`)).json()) as { wish: object };
    expect(decision.wish).toMatchObject({ region: "us-east" });
  });
});

test("`nearRegions` says what is near, in place of the names", async () => {
  const own = await startHybrid(simulators, {
    only: ["anthropic"],
    upstreams: upstreamsIn() ?? {},
    routing: { nearRegions: { "eu-west": ["us-east", "ap-south"] } },
  });
  const targets = await order(say("Hi"), { "x-router-region": "eu-west" }, own);
  expect(targets).toEqual(["eu-west", "us-east", "ap-south", "anywhere", "eu-central"]);
});

test("a region is a preference: the strategy still decides between placements", async () => {
  const { target } = await hybrid.ask(say("Hi", { max_tokens: 4_000 }), { "x-router-region": "us-east" });
  expect(target).toMatch(/^anthropic\//);
});

test("a region that is no name is a 400", async () => {
  expect((await hybrid.ask(say("Hi", { routing: { region: 7 } }))).status).toBe(400);
  expect((await hybrid.ask(say("Hi"), { "x-router-region": "" })).status).toBe(400);
});
