import { expect, test } from "bun:test";
import { gateway, helloStream, outcomeOf, usualLimits } from "../../test/fixtures/memory-gateway.ts";
import { answer, forever, frames, type Piece, type Script, stream } from "../../test/fixtures/scripted-transport.ts";

const limits = { ...usualLimits, afterCut: "continue" } as const;
const cut = new Error("cut");
const engines = { local: { provider: "vllm" }, cloud: { provider: "llamacpp" } };

const rig = (local: Script[], cloud: Script[], upstreams: Parameters<typeof gateway>[3] = engines) =>
  gateway({ local, cloud }, { limits }, undefined, upstreams);

interface Chunk {
  readonly id: string;
  /** Absent in an error. */
  readonly choices?: readonly { readonly delta: { readonly role?: string; readonly content?: string } }[];
  readonly usage?: { readonly completion_tokens: number } | null;
}

const chunksOf = (body: string): Chunk[] =>
  [...body.matchAll(/^data: (\{.*\})$/gm)].map((match) => JSON.parse(match[1] ?? "") as Chunk);
const textOf = (body: string): string =>
  chunksOf(body)
    .flatMap(({ choices = [] }) => choices.map(({ delta }) => delta.content ?? ""))
    .join("");
const ends = [frames.finish, frames.usage, frames.done] as const;

test("another target goes on where a stream was cut, in the same stream", async () => {
  const it = rig(
    [stream(frames.role, frames.text("Once upon"), cut)],
    [stream(frames.role, frames.text(" a time"), ...ends)],
  );
  const reply = await it.ask({ ...helloStream, stream_options: { include_usage: true } });
  const body = await reply.response.text();
  expect(textOf(body)).toBe("Once upon a time");
  expect(body.endsWith("data: [DONE]\n\n")).toBe(true);
  expect(body).toContain(": x-router-continued cloud/big");
  // One answer: one id, one role.
  expect(new Set(chunksOf(body).map(({ id }) => id)).size).toBe(1);
  expect(
    chunksOf(body).filter(({ choices = [] }) => choices.some(({ delta }) => delta.role !== undefined)),
  ).toHaveLength(1);
  expect(it.transport.sent[1]?.body["messages"]).toEqual([
    ...helloStream.messages,
    { role: "assistant", content: "Once upon" },
  ]);
  const record = await outcomeOf(it, reply);
  expect(record.outcome).toBe("ok");
  expect(record.served?.target).toBe("cloud/big");
  expect(record.attempts.map(({ error }) => error)).toEqual(["stream_interrupted", undefined]);
  expect(record.routing?.continued).toEqual([1]);
  // What the client reads of usage is what both tries used.
  expect(chunksOf(body).at(-1)?.usage?.completion_tokens).toBe(record.usage.outputTokens);
  expect(it.clock.waiting).toBe(0);
});

test("a server that must be told to go on is told so", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut)], [stream(frames.role, frames.text("b"), ...ends)], {
    local: { provider: "llamacpp" },
    cloud: { provider: "vllm" },
  });
  await (await it.ask(helloStream)).response.text();
  expect(it.transport.sent[1]?.body).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
});

for (const [begun, rest, whole] of [
  ["one ", " two", "one two"],
  ["one ", "two", "one two"],
  ["one\n\n", "\n\ntwo", "one\n\ntwo"],
  ["one\n\n", "\ntwo", "one\n\ntwo"],
  ["one  ", " \ttwo", "one  \ttwo"],
  ["  ", "  one", "  one"],
  ["one", "  two", "one  two"],
] as const) {
  test(`white space is neither lost nor sent twice: ${JSON.stringify(begun)} then ${JSON.stringify(rest)}`, async () => {
    const pieces = [...rest].map((letter) => frames.text(letter));
    const it = rig([stream(frames.role, frames.text(begun), cut)], [stream(frames.role, ...pieces, ...ends)]);
    const body = await (await it.ask(helloStream)).response.text();
    expect(textOf(body)).toBe(whole);
  });
}

test("cut at every piece, the text is whole", async () => {
  const words = ["The", " quick", " brown", " fox", " jumps", " over", " it."];
  for (let at = 1; at <= words.length; at++) {
    const begun: Piece[] = words.slice(0, at).map((word) => frames.text(word));
    const rest: Piece[] = words.slice(at).map((word) => frames.text(word));
    const it = rig([stream(frames.role, ...begun, cut)], [stream(frames.role, ...rest, ...ends)]);
    const body = await (await it.ask(helloStream)).response.text();
    expect(textOf(body)).toBe(words.join(""));
  }
});

test("silence is a cut too", async () => {
  const it = rig([stream(frames.role, frames.text("a"), forever)], [stream(frames.role, frames.text("b"), ...ends)]);
  const reply = await it.ask(helloStream);
  const text = reply.response.text();
  await it.clock.advance(5_000);
  expect(textOf(await text)).toBe("ab");
  expect((await outcomeOf(it, reply)).attempts.map(({ error }) => error)).toEqual(["idle_timeout", undefined]);
  expect(it.clock.waiting).toBe(0);
});

test("the broken target itself goes on when nobody else can", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut), stream(frames.role, frames.text("b"), ...ends)], [], {
    local: { provider: "vllm" },
    cloud: { provider: "openai" },
  });
  const body = await (await it.ask(helloStream)).response.text();
  expect(textOf(body)).toBe("ab");
  expect(it.transport.sent.map(({ upstream }) => upstream)).toEqual(["local", "local"]);
});

test("when nobody goes on the client gets the error in the stream, never a clean end", async () => {
  for (const script of [answer(500, { error: { message: "boom" } }), stream(frames.role, cut)]) {
    const it = rig([stream(frames.role, frames.text("a"), cut)], [script]);
    const reply = await it.ask(helloStream);
    const body = await reply.response.text();
    expect(body).not.toContain("[DONE]");
    expect(body).toContain("stream_interrupted");
    expect((await outcomeOf(it, reply)).outcome).toBe("interrupted");
    expect(it.clock.waiting).toBe(0);
  }
});

test("an answer is passed on twice at most", async () => {
  const broken = () => stream(frames.role, frames.text("a"), cut);
  const it = rig([broken(), broken(), broken(), broken()], [broken(), broken(), broken()]);
  const body = await (await it.ask(helloStream)).response.text();
  expect(textOf(body)).toBe("aaa");
  expect(body).not.toContain("[DONE]");
});

const call = `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"s","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{"}}]},"finish_reason":null}]}\n\n`;
const thought = `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"s","choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":null}]}\n\n`;

for (const [what, first, body] of [
  ["a tool call", call, helloStream],
  ["reasoning", thought, helloStream],
  ["several choices", frames.text("a"), { ...helloStream, n: 2 }],
  ["a JSON answer", frames.text("{"), { ...helloStream, response_format: { type: "json_object" } }],
] as const) {
  test(`${what} cannot be gone on with`, async () => {
    const it = rig([stream(frames.role, first, cut)], [stream(frames.role, frames.text("b"), ...ends)]);
    const text = await (await it.ask(body)).response.text();
    expect(text).not.toContain("[DONE]");
    expect(it.transport.sent).toHaveLength(1);
  });
}

test("nothing goes on unless it is wanted, and local-only data goes on locally alone", async () => {
  const scripts = () => [stream(frames.role, frames.text("a"), cut)];
  const plain = gateway({ local: scripts(), cloud: scripts() }, {}, undefined, engines);
  expect(await (await plain.ask(helloStream)).response.text()).toContain("stream_interrupted");
  expect(plain.transport.sent).toHaveLength(1);
  const it = rig(scripts(), scripts());
  await (await it.ask(helloStream, { "x-router-data": "local-only" })).response.text();
  expect(new Set(it.transport.sent.map(({ upstream }) => upstream))).toEqual(new Set(["local"]));
});

test("a client that leaves while another target is asked ends that too", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut)], [stream(frames.role, forever)]);
  const reply = await it.ask(helloStream);
  const reader = reply.response.body!.getReader();
  await reader.read();
  const next = reader.read();
  await it.clock.advance(100);
  expect(it.transport.sent).toHaveLength(2);
  await reader.cancel();
  await next;
  expect(it.transport.sent[1]?.request.signal.aborted).toBe(true);
  expect((await outcomeOf(it, reply)).outcome).toBe("client_gone");
  expect(it.clock.waiting).toBe(0);
});

test("a client that reads nothing is let go, and the upstream with it", async () => {
  const words = Array.from({ length: 50 }, () => frames.text("word "));
  const it = gateway({ local: [stream(frames.role, ...words, forever)] }, { clientStallMs: 30_000 }, undefined, {
    local: {
      timeouts: {
        connectMs: 1_000,
        firstContentMs: 5_000,
        coldStartMs: 5_000,
        wholeMs: 5_000,
        idleMs: 600_000,
        totalMs: 600_000,
      },
    },
  });
  const reply = await it.ask(helloStream);
  const reader = reply.response.body!.getReader();
  await reader.read();
  await it.clock.advance(50_000);
  expect(it.transport.sent[0]?.request.signal.aborted).toBe(true);
  const record = await outcomeOf(it, reply);
  expect([record.outcome, record.status]).toEqual(["client_gone", 200]);
  await expect(reader.read()).rejects.toThrow("read nothing");
  expect(it.clock.waiting).toBe(0);
});

test("a key that is refused to whoever should go on is told to the operator", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut)], [answer(401, { error: { message: "bad key" } })]);
  await (await it.ask(helloStream)).response.text();
  expect(it.alerts.map(({ code }) => code)).toEqual(["upstream_auth"]);
});

test("the first content of an answer is its first target's, whoever went on", async () => {
  const it = rig([stream(frames.role, frames.text("a"), forever)], [stream(frames.role, frames.text("b"), ...ends)]);
  const reply = await it.ask(helloStream);
  const text = reply.response.text();
  await it.clock.advance(5_000);
  await text;
  expect((await outcomeOf(it, reply)).firstContentMs).toBe(0);
});

test("fields meant for an upstream that routes by itself do not go to who goes on for it", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut)], [stream(frames.role, frames.text("b"), ...ends)], {
    local: { provider: "vllm", routesItself: true },
    cloud: { provider: "llamacpp" },
  });
  await (await it.ask({ ...helloStream, models: ["x"], seed: 1 })).response.text();
  const sent = it.transport.sent.map(({ body }) => [body["models"], body["seed"]]);
  expect(sent).toEqual([
    [["x"], 1],
    [undefined, 1],
  ]);
});

test("an answer whose shape the server holds, or that repeats its beginning, is not gone on with", async () => {
  for (const extra of [{ structured_outputs: { json: {} } }, { grammar: "root ::= item" }, { echo: true }]) {
    const it = rig([stream(frames.role, frames.text("{"), cut)], [stream(frames.role, frames.text("{}"), ...ends)]);
    const body = await (await it.ask({ ...helloStream, ...extra })).response.text();
    expect([textOf(body), it.transport.sent.length]).toEqual(["{", 1]);
  }
});

test("an upstream that an operator took out meanwhile is not asked to go on", async () => {
  const it = rig([stream(frames.role, frames.text("a"), cut), stream(frames.role, frames.text("b"), ...ends)], [], {
    local: { provider: "vllm" },
    cloud: { provider: "openai" },
  });
  const reply = await it.ask(helloStream);
  it.live.setDrained("local", true);
  expect(await reply.response.text()).toContain("stream_interrupted");
  expect(it.transport.sent).toHaveLength(1);
});
