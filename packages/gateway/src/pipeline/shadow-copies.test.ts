import { expect, test } from "bun:test";
import { budget, rateLimit } from "../../test/fixtures/admission.ts";
import { gateway, hello, helloStream } from "../../test/fixtures/memory-gateway.ts";
import { openKeyStore } from "../../test/fixtures/open-key-store.ts";
import {
  answer,
  completion,
  forever,
  frames,
  hang,
  type Script,
  stream,
} from "../../test/fixtures/scripted-transport.ts";
import { dialects } from "../codecs/registry.ts";
import { GatewayError } from "../core/errors.ts";
import { Exchange } from "../core/exchange.ts";
import type { Catalogue, Shadow } from "../core/gateway-model.ts";
import { anonymous } from "../core/principal.ts";
import { storedTags } from "../stores/sql/stored-tags.ts";
import { handleChat } from "./handle-chat.ts";
import { ShadowCopies } from "./shadow-copies.ts";

interface Setting {
  readonly local?: Script[];
  readonly cloud?: Script[];
  readonly shadow?: Partial<Shadow>;
  readonly catalogue?: Partial<Catalogue>;
  readonly rules?: Parameters<typeof gateway>[2];
  readonly fraction?: number;
  readonly keyTags?: readonly string[];
}

/** A gateway whose requests for `local` are copied to the cloud model. */
function shadowed(setting: Setting = {}) {
  const it = gateway(
    { local: setting.local ?? [completion("Yes.")], cloud: setting.cloud ?? [completion("yes")] },
    { keys: { ...openKeyStore, open: false, find: () => ({ ...anonymous, tags: setting.keyTags ?? [] }) } },
    setting.rules,
  );
  const shadow: Shadow = {
    name: "trial",
    when: undefined,
    target: it.cloud,
    sample: 1,
    maxConcurrent: 4,
    maxUsdPerDay: undefined,
    ...setting.shadow,
  };
  const catalogue = { ...it.catalogue, shadows: [shadow], ...setting.catalogue };
  const open = new Map<Exchange, Promise<unknown>>();
  let draining = false;
  let ids = 0;
  const shadows = new ShadowCopies({
    fraction: () => setting.fraction ?? 0,
    id: () => `copy-${++ids}`,
    counters: it.deps.admission.counters,
    sinks: it.deps.accounts.sinks,
    draining: () => draining,
    track: (copy, settled) => void open.set(copy, settled),
  });
  const deps = {
    ...it.deps,
    catalogue,
    deciding: { ...it.deps.deciding, catalogue },
    shadows,
  };
  let asked = 0;
  const ask = async (body: unknown = hello, headers: Record<string, string> = {}) => {
    const dialect = dialects["openai-chat"];
    const exchange = new Exchange({ id: `asked-${++asked}`, dialect: dialect.name, clock: it.clock, hops: [] });
    const arrival = { headers: new Headers(headers), readBody: async () => JSON.stringify(body) };
    return handleChat(arrival, dialect, exchange, deps);
  };
  /** Lets every copy begin and end. */
  const over = async (): Promise<void> => {
    await it.clock.advance(1);
    await Promise.all(open.values());
  };
  const hits = (name: string): number => it.transport.sent.filter(({ upstream }) => upstream === name).length;
  return {
    ...it,
    ask,
    over,
    hits,
    open,
    shadow,
    results: () => shadows.results(shadow),
    drain: () => (draining = true),
  };
}

test("a copy goes to the shadow's target after the client was answered, and is compared and charged", async () => {
  const it = shadowed();
  const reply = await it.ask(hello, { "x-router-tags": "blue" });
  expect(await reply.response.json()).toMatchObject({ choices: [{ message: { content: "Yes." } }] });
  expect(it.hits("cloud")).toBe(0);
  await it.over();
  expect(it.hits("cloud")).toBe(1);
  const [asked, copy] = it.records;
  expect(asked).toMatchObject({ id: "asked-1", tags: ["blue"], served: { target: "local/small" } });
  expect(copy).toMatchObject({
    id: "copy-1",
    asked: "cloud/big",
    tags: ["shadow:trial", "blue"],
    served: { target: "cloud/big" },
    outcome: "ok",
    cost: 3 * 10_000 + 4 * 20_000,
    referenceCost: undefined,
  });
  expect(it.ledger.settled).toHaveLength(2);
  expect(it.ledger.open).toEqual([]);
  expect([it.held(), it.spent()]).toEqual([0, (asked?.cost ?? 0) + (copy?.cost ?? 0)]);
  expect(it.results()).toMatchObject({
    drawn: 1,
    running: 0,
    answered: 1,
    compared: 1,
    sameText: { mean: 1, of: 1 },
    sameFinish: { mean: 1, of: 1 },
    costDifferenceUsd: { of: 1 },
  });
});

test("a streamed answer is compared with a streamed copy, and the client's bytes stay as they were", async () => {
  const pieces = [frames.role, frames.text("Ye"), frames.text("s."), frames.finish, frames.usage, frames.done];
  const plain = gateway({ local: [stream(...pieces)] });
  const expected = await (await plain.ask(helloStream)).response.text();
  const it = shadowed({ local: [stream(...pieces)], cloud: [stream(...pieces)] });
  expect(await (await it.ask(helloStream)).response.text()).toBe(expected);
  await it.over();
  expect(it.records.map(({ outcome }) => outcome)).toEqual(["ok", "ok"]);
  expect(it.results()).toMatchObject({ compared: 1, sameText: { mean: 1 }, firstContentDifferenceMs: { of: 1 } });
});

for (const [what, setting, body, headers] of [
  ["whose client says so", {}, hello, { "x-router-data": "local-only" }],
  [
    "that a residency rule is about",
    { catalogue: { residency: [{ name: "stay", when: undefined, placement: "local", regions: undefined }] } },
    hello,
    {},
  ],
  ["of a strategy that never leaves", {}, { ...hello, model: "auto" }, { "x-router-strategy": "self_hosted_only" }],
] as const) {
  test(`a request ${what} is never copied to cloud`, async () => {
    const it = shadowed(setting as Setting);
    const { response } = await it.ask(body, headers as Record<string, string>);
    expect(response.status).toBe(200);
    await it.over();
    expect(it.hits("cloud")).toBe(0);
    expect(it.results().answered).toBe(0);
  });
}

test("what the client leaves out is left out for copies too", async () => {
  const it = shadowed();
  await it.ask({ ...hello, routing: { ignore: ["@cloud"] } });
  await it.ask({ ...hello, routing: { only: ["@local"] } });
  await it.ask({ ...hello, routing: { allow_fallbacks: false } });
  await it.over();
  expect(it.hits("cloud")).toBe(0);
  expect(it.results().skipped.client_preference).toBe(3);
});

/** An experiment between two arms that do the same. */
function split() {
  const arms = ["one", "two"].map((name) => ({
    name,
    weight: 1,
    targets: undefined,
    strategy: "local_first" as const,
  }));
  return { experiments: [{ name: "split", when: undefined, models: [], sticky: "request" as const, arms }] };
}

test("a copy is in no arm's results, also of a request that an experiment placed", async () => {
  const it = shadowed({ catalogue: split() });
  await it.ask({ ...hello, model: "auto" });
  await it.over();
  expect(it.records.map(({ tags }) => tags)).toEqual([[expect.stringMatching(/^experiment:split=/)], ["shadow:trial"]]);
});

test("arm and shadow are known of rows whose key has more tags than a row keeps", async () => {
  const keyTags = Array.from({ length: 60 }, (_, i) => `key-tag-${i}`);
  const it = shadowed({ catalogue: split(), keyTags });
  await it.ask({ ...hello, model: "auto" }, { authorization: "Bearer key" });
  await it.over();
  const kept = it.records.map(({ tags }) => storedTags(tags).filter((tag) => !tag.startsWith("key-tag")));
  expect(kept).toEqual([[expect.stringMatching(/^experiment:split=/)], ["shadow:trial"]]);
});

test("only the share that is drawn and what the condition matches is copied", async () => {
  const outside = shadowed({ shadow: { sample: 0.5 }, fraction: 0.5 });
  await outside.ask();
  const other = shadowed({ shadow: { when: ({ request }) => request.stream } });
  await other.ask();
  await Promise.all([outside.over(), other.over()]);
  expect([outside.hits("cloud"), other.hits("cloud"), other.results().drawn]).toEqual([0, 0, 0]);
});

test("no more copies run at one time than configured, and none waits", async () => {
  const it = shadowed({ shadow: { maxConcurrent: 1 }, cloud: [hang] });
  await it.ask();
  await it.ask();
  await it.clock.advance(1);
  expect(it.hits("cloud")).toBe(1);
  expect(it.results()).toMatchObject({ running: 1, skipped: { busy: 1 } });
  for (const copy of it.open.keys()) copy.client.hangUp(new GatewayError("draining", "Over."));
  await it.over();
  expect(it.results()).toMatchObject({ running: 0, failed: 1 });
});

test("copies stop at the shadow's dollars a day, what runs counted", async () => {
  // A copy is predicted to cost more than half of this.
  const it = shadowed({ shadow: { maxUsdPerDay: 0.000_2 } });
  for (let i = 0; i < 5; i++) {
    await it.ask({ ...hello, max_tokens: 5 });
    await it.over();
  }
  const { answered, skipped } = it.results();
  expect(answered).toBe(1);
  expect(skipped.cap).toBe(4);
  await it.clock.advance(86_400_000 * 1.1);
  await it.ask({ ...hello, max_tokens: 5 });
  await it.over();
  expect(it.results().answered).toBe(2);
});

test("a used-up budget leaves the copy out and the client's answer as it is", async () => {
  const scope = { kind: "placement", value: "cloud" } as const;
  const it = shadowed({ rules: { budgets: [budget("none", { scope, limit: 0 as never, onExhausted: "refuse" })] } });
  expect((await it.ask()).response.status).toBe(200);
  await it.over();
  expect(it.hits("cloud")).toBe(0);
  expect(it.results().skipped.refused).toBe(1);
  expect(it.records).toHaveLength(1);
  expect([it.ledger.open, it.ledger.settled.length]).toEqual([[], 1]);
});

test("a copy counts on the upstream's limits and not on the client's", async () => {
  const client = rateLimit("client", { requestsPerMinute: 2 });
  const on = rateLimit("cloud", { scope: { kind: "upstream", value: "cloud" }, requestsPerMinute: 1 });
  const it = shadowed({ rules: { limits: [client, on] } });
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) {
    statuses.push((await it.ask()).response.status);
    await it.over();
  }
  expect(statuses).toEqual([200, 200, 429]);
  expect(it.hits("cloud")).toBe(1);
  expect(it.results().skipped.refused).toBe(1);
});

for (const [what, script] of [
  ["fails", answer(500, { error: { message: "boom" } })],
  ["breaks off", stream(frames.role, frames.text("half"), new Error("reset"))],
  ["talks nonsense", answer(200, { nothing: true })],
] as const) {
  test(`a shadow that ${what} changes nothing for the client, and is accounted for`, async () => {
    const local = stream(frames.role, frames.text("ok"), frames.finish, frames.done);
    const streams = what === "breaks off";
    const it = shadowed({ cloud: [script], ...(streams && { local: [local] }) });
    const { response } = await it.ask(streams ? helloStream : hello);
    expect(response.status).toBe(200);
    await response.text();
    await it.over();
    expect(it.hits("cloud")).toBe(1);
    expect(it.results()).toMatchObject({ failed: 1, answered: 0, compared: 0, running: 0 });
    expect(it.records.map(({ outcome }) => outcome)).toEqual(["ok", streams ? "interrupted" : "error"]);
    expect(it.ledger.open).toEqual([]);
    expect(it.held()).toBe(0);
  });
}

test("an answer that failed or that its client left is not copied", async () => {
  const it = shadowed({ local: [answer(400, { error: { message: "no", type: "invalid_request_error" } })] });
  expect((await it.ask()).response.status).toBe(400);
  const left = shadowed({ local: [stream(frames.role, frames.text("half"), forever)] });
  const { response } = await left.ask(helloStream);
  await response.body?.cancel();
  await Promise.all([it.over(), left.over()]);
  expect([it.hits("cloud"), left.hits("cloud")]).toEqual([0, 0]);
  expect([it.results().skipped.not_ok, left.results().skipped.not_ok]).toEqual([1, 1]);
});

test("a target whose breaker is open gets no copy", async () => {
  const it = shadowed({ cloud: [answer(500, {})] });
  for (let i = 0; i < 8; i++) {
    await it.ask();
    await it.over();
  }
  expect(it.hits("cloud")).toBe(5);
  expect(it.results().skipped.not_ready).toBe(3);
});

test("while the gateway drains nothing is copied, and what was about to be is not sent", async () => {
  const it = shadowed();
  await it.ask();
  it.drain();
  await it.over();
  await it.ask();
  await it.over();
  expect(it.hits("cloud")).toBe(0);
  expect(it.results().skipped.draining).toBe(1);
});

test("what is held is bounded, and given back when copies are over", async () => {
  const it = shadowed({ shadow: { maxConcurrent: 100 } });
  const large = { ...hello, padding: "x".repeat(10 * 1024 * 1024) };
  for (let i = 0; i < 5; i++) await it.ask(large);
  expect(it.results().skipped.memory).toBe(2);
  await it.over();
  await it.ask(large);
  await it.over();
  expect(it.results()).toMatchObject({ answered: 4, skipped: { memory: 2 } });
});
