import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { type Simulator, startSimulator } from "../src/start-simulator.ts";
import { countTokens } from "../src/tokenizer.ts";

const MODEL = "claude-haiku-4-5";
const NEW = "claude-opus-4-7";
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const WEATHER: Anthropic.Tool = {
  name: "get_weather",
  description: "Current weather",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

let simulator: Simulator;
let client: Anthropic;

beforeAll(async () => {
  simulator = await startSimulator({ flavour: "anthropic", models: [{ id: MODEL }, { id: NEW }], apiKey: "key" });
  client = new Anthropic({ baseURL: simulator.url, apiKey: "key", maxRetries: 0 });
});
afterAll(() => simulator.stop());

const ask = (content: string | Anthropic.ContentBlockParam[], model = MODEL) => ({
  model,
  max_tokens: 1024,
  messages: [{ role: "user" as const, content }],
});
const textOf = (message: Anthropic.Message) =>
  message.content.map((block) => (block.type === "text" ? block.text : "")).join("");

describe("official anthropic client", () => {
  test("answers text with exact usage", async () => {
    const message = await client.messages.create({ ...ask("Hello there"), system: "Be brief." });
    expect(textOf(message)).toStartWith("You said: Hello there");
    expect(message.stop_reason).toBe("end_turn");
    expect(message.usage.input_tokens).toBe(3 + 4 + countTokens("Be brief.") + 4 + countTokens("Hello there"));
    expect(message.usage.output_tokens).toBe(countTokens(textOf(message)));
    expect(message._request_id).toStartWith("req_");
    const counted = await client.messages.countTokens({
      model: MODEL,
      messages: [{ role: "user", content: "Hello there" }],
    });
    expect(counted.input_tokens).toBe(10);
  });

  test("streams the same message as named events", async () => {
    const whole = await client.messages.create(ask("Hello there"));
    const stream = client.messages.stream(ask("Hello there"));
    const types = new Set<string>();
    stream.on("streamEvent", (event) => types.add(event.type));
    const final = await stream.finalMessage();
    expect(textOf(final)).toBe(textOf(whole));
    expect(final.usage.output_tokens).toBe(whole.usage.output_tokens);
    expect([...types]).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });

  test("calls tools whole and streamed, and takes the results", async () => {
    const question = ask("Weather in Paris and London?");
    const whole = await client.messages.create({ ...question, tools: [WEATHER] });
    expect(whole.stop_reason).toBe("tool_use");
    const calls = whole.content.filter((block) => block.type === "tool_use");
    expect(calls.map((call) => call.input)).toEqual([{ city: "Paris" }, { city: "London" }]);
    const streamed = await client.messages.stream({ ...question, tools: [WEATHER] }).finalMessage();
    expect<unknown>(streamed.content).toEqual(whole.content);
    const results = calls.map((call) => ({ type: "tool_result" as const, tool_use_id: call.id, content: "18" }));
    const history = [...question.messages, { role: "assistant" as const, content: whole.content }];
    const echoed = await client.messages.create({
      ...question,
      tools: [WEATHER],
      messages: [...history, { role: "user", content: results }],
    });
    expect(textOf(echoed)).toBe("The tool answered: 18 | 18");
    const half = {
      ...question,
      tools: [WEATHER],
      messages: [...history, { role: "user" as const, content: results.slice(1) }],
    };
    expect(String(await failureOf(client.messages.create(half)))).toContain(
      "ids were found without `tool_result` blocks",
    );
  });

  test("thinks, signs, and refuses a foreign signature", async () => {
    const thinking = { type: "enabled" as const, budget_tokens: 1024 };
    const request = { ...ask("Why?"), max_tokens: 4096, thinking };
    const message = await client.messages.stream(request).finalMessage();
    expect(message.content.map((block) => block.type)).toEqual(["thinking", "text"]);
    expect(message.usage.output_tokens_details?.thinking_tokens).toBe(12);
    const next = { role: "user" as const, content: "And?" };
    const ok = await client.messages.create({
      ...request,
      messages: [...request.messages, { role: "assistant", content: message.content }, next],
    });
    expect(ok.stop_reason).toBe("end_turn");
    const foreign = [{ type: "thinking" as const, thinking: "x", signature: "abc" }];
    const refused = client.messages.create({
      ...request,
      messages: [...request.messages, { role: "assistant", content: foreign }, next],
    });
    expect(String(await failureOf(refused))).toContain("Invalid `signature` in `thinking` block");
  });

  test("fills an output schema, sees images, reports cache use and refusals", async () => {
    const schema = {
      type: "object",
      additionalProperties: false,
      required: ["ok"],
      properties: { ok: { type: "boolean" } },
    };
    const shaped = await client.messages.create({
      ...ask("JSON"),
      output_config: { format: { type: "json_schema", schema } },
    });
    expect(JSON.parse(textOf(shaped))).toEqual({ ok: expect.any(Boolean) });
    const image = {
      type: "image" as const,
      source: { type: "base64" as const, media_type: "image/png" as const, data: PNG },
    };
    const seen = await client.messages.create(ask([image, { type: "text", text: "[[sim:image]]" }]));
    expect(textOf(seen)).toBe("I received 1 image: image/png.");
    const system = [{ type: "text" as const, text: "A long prefix.", cache_control: { type: "ephemeral" as const } }];
    const written = await client.messages.create({ ...ask("a"), system });
    const read = await client.messages.create({ ...ask("b"), system });
    expect(written.usage.cache_creation_input_tokens).toBe(3 + 4 + 4);
    expect(read.usage.cache_read_input_tokens).toBe(11);
    const refusal = await client.messages.stream(ask("[[sim:refusal]]")).finalMessage();
    expect(refusal.stop_reason).toBe("refusal");
    expect(refusal.content).toEqual([]);
  });

  test.each([
    ["max_tokens: Field required", { ...ask("x"), max_tokens: undefined }],
    ["routing: Extra inputs are not permitted", { ...ask("x"), routing: {} }],
    ["temperature: Input should be less than or equal to 1", { ...ask("x"), temperature: 1.5 }],
    ["temperature: Extra inputs are not permitted", { ...ask("x"), temperature: 0.5 }],
    [
      "does not support assistant message prefill",
      {
        ...ask("x", NEW),
        messages: [
          { role: "user", content: "x" },
          { role: "assistant", content: "y" },
        ],
      },
    ],
    ["text content blocks must be non-empty", ask([{ type: "text", text: "" }])],
    ["text.id: Extra inputs are not permitted", ask([{ type: "text", text: "x", id: 1 } as Anthropic.TextBlockParam])],
    ["unexpected `tool_use_id`", ask([{ type: "tool_result", tool_use_id: "toolu_1", content: "x" }])],
    ['Use \\"thinking.type.adaptive\\"', { ...ask("x", NEW), thinking: { type: "enabled", budget_tokens: 1024 } }],
    ["adaptive thinking is not supported", { ...ask("x"), thinking: { type: "adaptive" } }],
    [
      "media_type: Input should be",
      ask([{ type: "image", source: { type: "base64", media_type: "image/jpg" as "image/png", data: PNG } }]),
    ],
    ["prompt is too long: ", ask("word ".repeat(170_000))],
  ])("refuses with %s", async (words, body) => {
    const error = await failureOf(client.messages.create(body as Anthropic.MessageCreateParamsNonStreaming));
    expect(error).toBeInstanceOf(Anthropic.BadRequestError);
    expect(String(error)).toContain(words);
  });

  test("needs a version and a key, and takes sampling under the older version", async () => {
    const headers = { "content-type": "application/json", "x-api-key": "key" };
    const send = (extra: Record<string, string>, body: object) =>
      fetch(`${simulator.url}/v1/messages`, {
        method: "POST",
        headers: { ...headers, ...extra },
        body: JSON.stringify(body),
      });
    const bare = await send({}, ask("x"));
    expect([bare.status, await bare.text()]).toEqual([
      400,
      expect.stringContaining("anthropic-version: header is required"),
    ]);
    const old = { "anthropic-version": "2023-06-01" };
    expect((await send(old, { ...ask("x"), temperature: 0.5 })).status).toBe(200);
    expect(await (await send(old, { ...ask("x", NEW), temperature: 0.5 })).text()).toContain(
      "not supported by this model",
    );
    const wrong = await send({ ...old, "x-api-key": "no" }, ask("x"));
    expect([wrong.status, await wrong.json()]).toMatchObject([
      401,
      { type: "error", error: { type: "authentication_error" } },
    ]);
  });

  test("logs an aborted stream", async () => {
    const stream = await client.messages.create({ ...ask("[[sim:tokens=200]] [[sim:pace=20]]"), stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break;
    const hit = await simulator.waitForHit((one) => one.aborted && one.endedAt !== null, 2_000);
    expect(hit.stream).toBe(true);
    expect(hit.tokensProduced).toBeLessThan(200);
  });

  test.each([
    [401, Anthropic.AuthenticationError, "authentication_error"],
    [429, Anthropic.RateLimitError, "rate_limit_error"],
    [500, Anthropic.InternalServerError, "api_error"],
    [529, Anthropic.InternalServerError, "overloaded_error"],
  ])("fails with %d in the true shape", async (status, kind, type) => {
    simulator.setFault({ spec: `status=${status};retry-after=2`, times: 1 });
    const error = await failureOf(client.messages.create(ask("x")));
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ status, error: { type: "error", error: { type } } });
    expect((error as { headers: Headers }).headers.get("retry-after")).toBe("2");
  });

  test("sends an overloaded error as the first event", async () => {
    simulator.setFault({ spec: "error-first", times: 1 });
    const error = await failureOf(client.messages.stream(ask("x")).finalMessage());
    expect(String(error)).toContain("overloaded_error");
  });
});

/** Returns what a call rejects with, or its answer. */
function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => call.then(resolve, resolve));
}
