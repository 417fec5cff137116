import { expect, test } from "bun:test";
import { settle } from "../../test/fixtures/fake-clock.ts";
import { gateway, hello, helloStream, outcomeOf } from "../../test/fixtures/memory-gateway.ts";
import {
  answer,
  completion,
  forever,
  frames,
  hang,
  refuse,
  type Script,
  stream,
} from "../../test/fixtures/scripted-transport.ts";
import { dialects } from "../codecs/registry.ts";
import { GatewayError } from "../core/errors.ts";
import { Secret } from "../lib/secret.ts";

const _dialect = dialects["openai-chat"];

test("a whole answer passes through byte for byte and is settled with its usage", async () => {
  const it = gateway({ local: [completion("hi")] });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(reply.response.headers.get("x-router-backend")).toBe("local");
  expect(reply.response.headers.get("x-router-target")).toBe("local/small");
  expect(reply.response.headers.get("x-router-fallback")).toBeNull();
  expect((await reply.response.json()).choices[0].message.content).toBe("hi");
  const record = await outcomeOf(it, reply);
  expect(record.outcome).toBe("ok");
  expect(record.usage.outputTokens).toBe(4);
  expect(it.clock.waiting).toBe(0);
});

test("only the model's name is changed on the way up, and gateway fields never arrive", async () => {
  const it = gateway({ local: [completion("hi")] });
  await it.ask({ ...hello, routing_strategy: "auto", vendor_extension: { kept: [1, 2] } });
  expect(it.transport.sent[0]?.body).toEqual({
    model: "small",
    messages: hello.messages,
    vendor_extension: { kept: [1, 2] },
  });
});

for (const [what, script, why] of [
  ["a refused connection", refuse, "unreachable"],
  ["a 500, after one more try", answer(500, { error: { message: "boom" } }), "upstream_error"],
  ["a 503", answer(503, { error: { message: "busy", type: "overloaded_error" } }), "overloaded"],
  ["a 429", answer(429, { error: { message: "slow down", code: "rate_limit_exceeded" } }), "rate_limited"],
  [
    "HTML with status 200",
    () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    "bad_upstream_response",
  ],
  ["a refused gateway key", answer(401, { error: { message: "bad key" } }), "upstream_auth"],
] as const) {
  test(`${what} from local moves the request to cloud`, async () => {
    const it = gateway({ local: [script] });
    const pending = it.ask(hello);
    await it.clock.advance(5_000);
    const reply = await pending;
    expect(reply.response.status).toBe(200);
    expect(reply.response.headers.get("x-router-backend")).toBe("cloud");
    expect(reply.response.headers.get("x-router-fallback")).toBe(`local/small;${why}`);
    expect((await outcomeOf(it, reply)).fallback).toEqual({ from: "local/small", why });
    expect(it.clock.waiting).toBe(0);
  });
}

test("a request that the upstream calls wrong is not asked elsewhere", async () => {
  const it = gateway({
    local: [answer(400, { error: { message: "messages.0: bad", type: "invalid_request_error" } })],
  });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(400);
  expect(it.transport.sent).toHaveLength(1);
  await outcomeOf(it, reply);
});

test("a target that takes no connection, sends no content or falls silent is left at its limit", async () => {
  for (const [script, code] of [
    [hang, "connect_timeout"],
    [stream(frames.role, forever), "first_content_timeout"],
  ] as const) {
    const it = gateway({
      local: [script],
      cloud: [stream(frames.role, frames.text("ok"), frames.finish, frames.done)],
    });
    it.transport.reach = () => forever;
    it.live.markServed(it.local, it.clock.monotonicMs());
    const pending = it.ask(helloStream);
    await it.clock.advance(9_000);
    const reply = await pending;
    const text = await reply.response.text();
    expect(text).toContain('"ok"');
    const record = await outcomeOf(it, reply);
    expect(record.attempts[0]?.error).toBe(code);
    expect(it.clock.waiting).toBe(0);
  }
});

test("an error as the first event moves on unseen; nothing of the first target reaches the client", async () => {
  const it = gateway({
    local: [stream(frames.role, frames.error, frames.done)],
    cloud: [stream(frames.role, frames.text("second"), frames.finish, frames.usage, frames.done)],
  });
  const pending = it.ask(helloStream);
  await it.clock.advance(5_000);
  const reply = await pending;
  const text = await reply.response.text();
  expect(text).toContain("second");
  expect(text).not.toContain("engine died");
  expect(text.match(/"role"/g)).toHaveLength(1);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  expect((await outcomeOf(it, reply)).outcome).toBe("ok");
});

for (const [what, pieces] of [
  ["a broken connection", [new Error("ECONNRESET")]],
  ["an error event and then [DONE]", [frames.error, frames.done]],
  ["a body that just ends", []],
] as const) {
  test(`${what} after content ends in an error event and never in [DONE]`, async () => {
    const it = gateway({ local: [stream(frames.role, frames.text("half"), ...pieces)] });
    const reply = await it.ask(helloStream);
    const text = await reply.response.text();
    expect(text).toContain("half");
    expect(text).not.toContain("[DONE]");
    const last = JSON.parse(text.trim().split("\n\n").at(-1)?.slice(6) ?? "") as { error: { code: string } };
    expect(typeof last.error.code).toBe("string");
    const record = await outcomeOf(it, reply);
    expect(record.outcome).toBe("interrupted");
    expect(record.usageEstimated).toBe(true);
    expect(record.usage.outputTokens).toBeGreaterThan(0);
    expect(it.transport.sent).toHaveLength(1);
    expect(it.clock.waiting).toBe(0);
  });
}

test("silence after content runs into the idle limit", async () => {
  const it = gateway({ local: [stream(frames.role, frames.text("half"), forever)] });
  const reply = await it.ask(helloStream);
  const text = reply.response.text();
  await it.clock.advance(6_000);
  expect(await text).toContain("upstream_timeout");
  expect((await outcomeOf(it, reply)).error?.code).toBe("idle_timeout");
});

test("the usage chunk that only the gateway asked for is hidden and still counted", async () => {
  const it = gateway({ local: [stream(frames.role, frames.text("a"), frames.finish, frames.usage, frames.done)] });
  const reply = await it.ask(helloStream);
  const text = await reply.response.text();
  expect(text).not.toContain("usage");
  expect(it.transport.sent[0]?.body["stream_options"]).toEqual({ include_usage: true });
  expect((await outcomeOf(it, reply)).usage).toMatchObject({ inputTokens: 3, outputTokens: 4 });
});

test("a missing [DONE] after a finish is a complete answer", async () => {
  const it = gateway({ local: [stream(frames.role, frames.text("a"), frames.finish)] });
  const reply = await it.ask(helloStream);
  expect((await reply.response.text()).endsWith("data: [DONE]\n\n")).toBe(true);
  expect((await outcomeOf(it, reply)).outcome).toBe("ok");
});

test("a client that leaves aborts the upstream, streaming or not, and blames nobody", async () => {
  for (const [body, script] of [
    [hello, hang],
    [helloStream, stream(frames.role, frames.text("a"), forever)],
  ] as const) {
    const it = gateway({ local: [script] });
    const pending = it.ask(body);
    await settle();
    if (body === hello) {
      it.exchange.client.hangUp(new GatewayError("client_gone", "gone"));
    } else {
      const reader = (await pending).response.body?.getReader();
      await reader?.read();
      await reader?.cancel();
    }
    const record = await outcomeOf(it, await pending);
    expect(record.outcome).toBe("client_gone");
    expect(it.transport.sent[0]?.request.signal.aborted).toBe(true);
    expect(it.transport.sent).toHaveLength(1);
    expect(it.live.deployment(it.local).breaker.state(it.clock.monotonicMs())).toBe("closed");
    expect(it.live.deployment(it.local).inFlight).toBe(0);
    expect(it.clock.waiting).toBe(0);
  }
});

test("a slow client slows the upstream: nothing is read ahead of it", async () => {
  let produced = 0;
  const endless: Script = () => {
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          produced++;
          controller.enqueue(encoder.encode(produced === 1 ? frames.role : frames.text("x".repeat(1_000))));
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const it = gateway({ local: [endless] });
  const reply = await it.ask(helloStream);
  const reader = reply.response.body?.getReader();
  for (let i = 0; i < 5; i++) await reader?.read();
  await settle();
  expect(produced).toBeLessThanOrEqual(8);
  await reader?.cancel();
  await outcomeOf(it, reply);
});

test("a late answer gets headers and keep-alives first, and may still fall back", async () => {
  let failLocal = (): void => {};
  const local: Script = () =>
    new Promise<Response>((resolve) => {
      failLocal = () => resolve(Response.json({ error: { message: "boom" } }, { status: 503 }));
    });
  const it = gateway(
    { local: [local], cloud: [stream(frames.role, frames.text("ok"), frames.finish, frames.done)] },
    { commitGraceMs: 100, keepAliveMs: 50 },
  );
  const pending = it.ask(helloStream);
  await it.clock.advance(100);
  const reply = await pending;
  const text = reply.response.text();
  await it.clock.advance(120);
  failLocal();
  await it.clock.advance(1_000);
  expect(await text).toMatch(/^(: keep-alive\n\n)+: x-router-target cloud\/big\n\ndata: /);
  const record = await outcomeOf(it, reply);
  expect(record.served?.placement).toBe("cloud");
  expect(it.clock.waiting).toBe(0);
});

test("a late failure arrives in the stream, in the client's format", async () => {
  const it = gateway({ local: [hang], cloud: [refuse] }, { commitGraceMs: 100 });
  it.transport.reach = () => forever;
  const pending = it.ask(helloStream);
  await it.clock.advance(100);
  const reply = await pending;
  expect(reply.response.status).toBe(200);
  const text = reply.response.text();
  await it.clock.advance(20_000);
  expect(await text).toContain('"error"');
  expect((await outcomeOf(it, reply)).outcome).toBe("error");
});

test("Retry-After is waited for where nobody else can serve, and passed on when it is too long", async () => {
  const busy = answer(429, { error: { message: "slow", code: "rate_limit_exceeded" } }, { "retry-after": "1" });
  const short = gateway({ local: [busy, completion("later")] });
  const pending = short.ask(hello, { "x-router-strategy": "self_hosted_only" });
  await short.clock.advance(999);
  expect(short.transport.sent).toHaveLength(1);
  await short.clock.advance(1_000);
  expect((await pending).response.status).toBe(200);

  const long = gateway({
    local: [answer(429, { error: { message: "slow", code: "rate_limit_exceeded" } }, { "retry-after": "30" })],
  });
  const reply = await long.ask(hello, { "x-router-data": "local-only" });
  expect(reply.response.status).toBe(429);
  expect(reply.response.headers.get("retry-after")).toBe("30");
  expect(reply.response.headers.get("x-should-retry")).toBe("true");
});

test("local-only data stays on local upstreams whatever fails there", async () => {
  const it = gateway({ local: [answer(500, { error: { message: "boom" } })] });
  const pending = it.ask(hello, { "x-router-data": "local-only" });
  await it.clock.advance(5_000);
  expect((await pending).response.status).toBe(502);
  expect(new Set(it.transport.sent.map((sent) => sent.upstream))).toEqual(new Set(["local"]));
});

test("a context overflow only goes to a larger window", async () => {
  const overflow = answer(400, {
    error: { message: "This model's maximum context length is 100 tokens.", code: "context_length_exceeded" },
  });
  const it = gateway({ local: [overflow] });
  const reply = await it.ask(hello);
  expect(reply.response.status).toBe(200);
  expect(reply.response.headers.get("x-router-backend")).toBe("cloud");
});

test("when everything failed the answer tells SDKs not to multiply the gateway's own tries", async () => {
  const it = gateway({ local: [refuse], cloud: [refuse] });
  const pending = it.ask(hello);
  await it.clock.advance(5_000);
  const { response } = await pending;
  expect(response.status).toBe(503);
  expect(response.headers.get("x-should-retry")).toBe("false");
});

test("a refused upstream key alerts the operator and never looks like the client's", async () => {
  const it = gateway({ local: [answer(401, { error: { message: "bad key" } })] });
  const reply = await it.ask(hello, { "x-router-data": "local-only" });
  expect(reply.response.status).toBe(502);
  expect(it.alerts.map((alert) => alert.code)).toEqual(["upstream_auth"]);
});

test("a request that already passed this gateway is refused", async () => {
  const it = gateway({ local: [completion("hi")] });
  Object.assign(it.exchange, { hops: ["other", "this-gateway"] });
  expect((await it.ask(hello)).response.status).toBe(508);
  expect(it.transport.sent).toEqual([]);
});

test("a body nested beyond reason is refused as the client's fault", async () => {
  const it = gateway({ local: [completion("hi")] });
  const deep = "[".repeat(150_000) + "]".repeat(150_000);
  const tools = `[{"type":"function","function":{"name":"f","parameters":{"a":${deep}}}}]`;
  const { response } = await it.ask(`{"model":"local","messages":[{"role":"user","content":"x"}],"tools":${tools}}`);
  expect(response.status).toBe(400);
});

test("a connection that broke before any answer is tried once more on a fresh one", async () => {
  const reset: Script = () => {
    throw new GatewayError("unreachable", "The upstream closed the connection.", { reset: true });
  };
  const it = gateway({ local: [reset, completion("hi")] });
  const pending = it.ask(hello);
  await it.clock.advance(10);
  expect((await pending).response.headers.get("x-router-backend")).toBe("local");
  expect(it.transport.sent).toHaveLength(2);
});

test("a parameter that the upstream knows by another name is renamed once, its value untouched", async () => {
  const refused = answer(400, {
    error: {
      message:
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      type: "invalid_request_error",
      param: "max_tokens",
      code: "unsupported_parameter",
    },
  });
  const it = gateway({ local: [refused, completion("hi")] });
  const reply = await it.ask({ ...hello, max_tokens: 7 });
  expect(reply.response.status).toBe(200);
  expect(it.transport.sent[1]?.body).toEqual({ model: "small", messages: hello.messages, max_completion_tokens: 7 });
});

test("a web page cannot use a gateway without a key behind its visitor's back", async () => {
  for (const headers of [
    { origin: "https://evil.example", "content-type": "text/plain" },
    { origin: "http://rebound.example:8080", host: "rebound.example:8080", "content-type": "application/json" },
  ] as Record<string, string>[]) {
    const it = gateway({ local: [completion("hi")] });
    const { response } = await it.ask(hello, headers);
    expect(response.status).toBe(403);
    expect(it.transport.sent).toEqual([]);
  }
  const local = { origin: "http://localhost:3000", "content-type": "application/json", host: "localhost:8080" };
  expect((await gateway({ local: [completion("hi")] }).ask(hello, local)).response.status).toBe(200);
});

test("a name's own fallback chain is all it has, also when its local target is not ready", async () => {
  const it = gateway({ local: [completion("hi")] });
  const names = new Map(it.catalogue.names);
  names.set("pinned", { reason: "alias", targets: [it.local], fallback: [], listed: true });
  Object.assign(it.catalogue, { names });
  it.live.markCold("local", 1);
  const reply = await it.ask({ ...hello, model: "pinned" });
  expect(reply.response.headers.get("x-router-backend")).toBe("local");
  expect(it.transport.sent.map((sent) => sent.upstream)).toEqual(["local"]);
});

test("a gateway that shuts down ends what still runs with an error, in the stream or before it", async () => {
  const streamed = gateway({ local: [stream(frames.role, frames.text("half"), forever)] });
  const reply = await streamed.ask(helloStream);
  const text = reply.response.text();
  await settle();
  streamed.exchange.client.hangUp(new GatewayError("draining", "This gateway is shutting down."));
  expect(await text).toContain("shutting down");
  expect((await outcomeOf(streamed, reply)).outcome).toBe("interrupted");

  const whole = gateway({ local: [hang] });
  const pending = whole.ask(hello);
  await settle();
  whole.exchange.client.hangUp(new GatewayError("draining", "This gateway is shutting down."));
  expect((await pending).response.status).toBe(503);
  expect(whole.clock.waiting).toBe(0);
});

test("waiting for the client's body or a late upstream is not the gateway's overhead", async () => {
  const it = gateway({ local: [hang], cloud: [refuse] }, { commitGraceMs: 1_000 });
  it.transport.reach = () => forever;
  const pending = it.ask(helloStream);
  await it.clock.advance(1_000);
  const { response } = await pending;
  expect(Number(response.headers.get("x-router-overhead-ms"))).toBe(0);
  await response.body?.cancel();
});

test.each(['{"messages":hunter2}', '{"messages":"\\uhunter2"}'])(
  "a body that is not JSON is refused without a word of it in the answer or the record: %s",
  async (body) => {
    const it = gateway({ local: [completion("hi")] });
    const reply = await it.ask(body);
    const said = await reply.response.text();
    expect(said).toContain("is not valid JSON");
    expect(said).not.toContain("hunt");
    expect(JSON.stringify(await outcomeOf(it, reply))).not.toContain("hunt");
  },
);

test("an endless model name is refused", async () => {
  const it = gateway({ local: [completion("hi")] });
  const reply = await it.ask({ ...hello, model: "x".repeat(10_000) });
  expect(reply.response.status).toBe(400);
  expect((await outcomeOf(it, reply)).asked.length).toBeLessThanOrEqual(256);
});

test("an upstream's key and address never reach the client, whatever it echoes", async () => {
  const auth = { type: "bearer", key: new Secret("mysecretkey12345") } as const;
  for (const script of [
    answer(400, {
      error: {
        message: "no such thing (key=mysecretkey12345 at http://127.0.0.1:9/v1)",
        type: "invalid_request_error",
      },
    }),
    stream(frames.role, frames.text("a"), `data: {"error":{"message":"bad mysecretkey12345","code":400}}\n\n`),
  ]) {
    const it = gateway({ local: [script] });
    Object.assign(it.local.upstream, { auth });
    const reply = await it.ask(script.length === 0 ? hello : helloStream);
    expect(await reply.response.text()).not.toMatch(/mysecretkey|127\.0\.0\.1/);
    expect(JSON.stringify(await outcomeOf(it, reply))).not.toContain("mysecretkey");
  }
});

test("a capability that nobody has names the client's field", async () => {
  const it = gateway({ local: [completion("hi")] });
  const { response } = await it.ask({ ...hello, logprobs: true });
  expect(response.status).toBe(400);
  expect((await response.json()).error.param).toBe("logprobs");
});

test("a client that reads no more still meets the total limit: nothing waits for its next read", async () => {
  const it = gateway({ local: [stream(frames.role, frames.text("a"), forever)] });
  const reply = await it.ask(helloStream);
  const reader = reply.response.body?.getReader();
  await reader?.read();
  await it.clock.advance(25_000);
  const record = await outcomeOf(it, reply);
  expect(record.outcome).toBe("interrupted");
  expect(it.live.deployment(it.local).inFlight).toBe(0);
  expect(it.clock.waiting).toBe(0);
  await reader?.cancel();
});

test("a client that leaves before it read anything ends the attempt, also one that has just committed", async () => {
  const unread = gateway({ local: [stream(frames.role, frames.text("a"), forever)] });
  const reply = await unread.ask(helloStream);
  await reply.response.body?.cancel();
  expect((await outcomeOf(unread, reply)).outcome).toBe("client_gone");
  expect(unread.live.deployment(unread.local).inFlight).toBe(0);
  expect(unread.transport.sent[0]?.request.signal.aborted).toBe(true);
  expect(unread.clock.waiting).toBe(0);

  let answerNow = (): void => {};
  const slow: Script = (request, upstream) =>
    new Promise((resolve) => {
      answerNow = () => resolve(stream(frames.role, frames.text("a"), forever)(request, upstream));
    });
  for (const turns of [0, 1, 2, 3, 5, 8, 13, 21]) {
    const late = gateway({ local: [slow] }, { commitGraceMs: 100 });
    const pending = late.ask(helloStream);
    await late.clock.advance(100);
    const lateReply = await pending;
    const reader = lateReply.response.body?.getReader();
    reader?.read().catch(() => {});
    await settle();
    answerNow();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await reader?.cancel();
    await settle();
    await lateReply.settled;
    expect(late.live.deployment(late.local).inFlight).toBe(0);
    expect(late.clock.waiting).toBe(0);
  }

  const ignored = gateway({ local: [slow] }, { commitGraceMs: 100 });
  const asked = ignored.ask(helloStream);
  await ignored.clock.advance(100);
  const ignoredReply = await asked;
  answerNow();
  await settle();
  await ignoredReply.response.body?.cancel();
  expect((await outcomeOf(ignored, ignoredReply)).outcome).toBe("client_gone");
  await settle();
  expect(ignored.live.deployment(ignored.local).inFlight).toBe(0);
  expect(ignored.clock.waiting).toBe(0);
});

test("an output limit that had to be lowered for the target is reported", async () => {
  const overflow = answer(400, {
    error: {
      message:
        "This model's maximum context length is 4096 tokens. However, you requested 40008 tokens (8 in the messages, 40000 in the completion).",
      code: "context_length_exceeded",
    },
  });
  const it = gateway({ local: [overflow, completion("hi")] });
  const reply = await it.ask({ ...hello, max_tokens: 40_000 });
  expect(reply.response.status).toBe(200);
  expect(reply.response.headers.get("x-router-backend")).toBe("local");
  expect(reply.response.headers.get("x-router-dropped")).toBe("max_tokens");
  expect(it.transport.sent[1]?.body["max_tokens"]).toBeLessThan(4_096);
});

test("what a fallback cannot express does not hide that the target that can has failed", async () => {
  const it = gateway({ local: [answer(500, { error: { message: "boom" } })] });
  Object.assign(it.cloud.upstream, { protocol: "anthropic-messages" });
  const pending = it.ask({ ...hello, web_search_options: {} });
  await it.clock.advance(5_000);
  expect((await pending).response.status).toBe(502);
});

test("errors before a decision carry only the id", async () => {
  const it = gateway({ local: [completion("hi")] });
  const { response } = await it.ask("{not json");
  expect(response.status).toBe(400);
  const names = [...response.headers.keys()].filter((name) => name.startsWith("x-router-"));
  expect(names).toEqual(["x-router-decision-id"]);
});

test("a client that reads so slowly that the attempt's time is over is not the upstream's failure", async () => {
  const many = Array.from({ length: 100 }, () => frames.text("x"));
  const it = gateway({ local: [stream(frames.role, ...many, forever)] });
  const reply = await it.ask(helloStream);
  const reader = reply.response.body!.getReader();
  const { totalMs } = it.local.upstream.timeouts;
  for (let ms = 0; ms <= totalMs; ms += 1_000) {
    await reader.read().catch(() => {});
    await it.clock.advance(1_000);
  }
  const record = await outcomeOf(it, reply);
  expect([record.outcome, record.attempts[0]?.error]).toEqual(["interrupted", "total_timeout"]);
  expect(it.live.deployment(it.local).latency.errorRate(it.clock.monotonicMs())).toBe(0);
});
