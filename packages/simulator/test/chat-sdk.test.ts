import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { type Simulator, startSimulator } from "../src/start-simulator.ts";
import { countTokens } from "../src/tokenizer.ts";

const MODEL = "Qwen/Qwen2.5-7B-Instruct";
const PNG =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const WEATHER = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "Current weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, unit: { type: "string", enum: ["c", "f"] } },
      required: ["city", "unit"],
    },
  },
};

/** Returns what a call rejects with, or its answer. */
function failureOf(call: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => call.then(resolve, resolve));
}

describe.each(["vllm", "openai", "llamacpp", "ollama"] as const)("official openai client on %s", (flavour) => {
  let simulator: Simulator;
  let client: OpenAI;

  beforeAll(async () => {
    simulator = await startSimulator({
      flavour,
      models: [{ id: MODEL, contextWindow: 4096 }],
      apiKey: "sk-test-0123456789",
    });
    client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "sk-test-0123456789", maxRetries: 0 });
  });
  beforeEach(() => simulator.clearHits());
  afterAll(() => simulator.stop());

  const ask = (content: string) => ({ model: MODEL, messages: [{ role: "user" as const, content }] });

  test("answers text with exact usage, the same each time", async () => {
    const first = await client.chat.completions.create(ask("Hello there"));
    const second = await client.chat.completions.create(ask("Hello there"));
    const text = first.choices[0]?.message.content ?? "";
    expect(text).toStartWith("You said: Hello there");
    expect(second.choices[0]?.message.content).toBe(text);
    expect(first.choices[0]?.finish_reason).toBe("stop");
    expect(first.usage?.prompt_tokens).toBe(3 + 4 + countTokens("Hello there"));
    expect(first.usage?.completion_tokens).toBe(countTokens(text));
    expect(first.usage?.total_tokens).toBe((first.usage?.prompt_tokens ?? 0) + (first.usage?.completion_tokens ?? 0));
    expect(simulator.hits()[0]?.headers["authorization"]).toStartWith("sha256:");
  });

  test("streams the same text, with usage only when asked", async () => {
    const whole = await client.chat.completions.create(ask("Hello there"));
    const stream = await client.chat.completions.create({ ...ask("Hello there"), stream: true });
    let text = "";
    let usage = false;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage ||= chunk.usage != null || chunk.choices.length === 0;
    }
    expect(text).toBe(whole.choices[0]?.message.content ?? "");
    expect(usage).toBe(false);
    const counted = client.chat.completions.stream({ ...ask("Hello there"), stream_options: { include_usage: true } });
    const final = await counted.finalChatCompletion();
    expect(final.usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
    expect(final.choices[0]?.message.content).toBe(text);
  });

  test("cuts at max_tokens and honours stop and directives", async () => {
    const cut = await client.chat.completions.create({ ...ask("[[sim:tokens=50]]"), max_tokens: 7 });
    expect(cut.choices[0]?.finish_reason).toBe("length");
    expect(cut.usage?.completion_tokens).toBe(7);
    const exact = await client.chat.completions.create(ask("[[sim:tokens=50]]"));
    expect(exact.usage?.completion_tokens).toBe(50);
    const stopped = await client.chat.completions.create({ ...ask("[[sim:text=one two three]]"), stop: [" three"] });
    expect(stopped.choices[0]?.message.content).toBe("one two");
  });

  test("calls tools, one and in parallel, whole and streamed", async () => {
    const request = { ...ask("What is the weather in Paris?"), tools: [WEATHER] };
    const whole = await client.chat.completions.create(request);
    const call = whole.choices[0]?.message.tool_calls?.[0];
    expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
    expect(call?.type === "function" && JSON.parse(call.function.arguments)).toMatchObject({ city: "Paris" });
    const streamed = await client.chat.completions
      .stream({ ...ask("[[sim:tools=2]]"), tools: [WEATHER] })
      .finalChatCompletion();
    const calls = streamed.choices[0]?.message.tool_calls ?? [];
    expect(calls.map((one) => one.function.name)).toEqual(["get_weather", "get_weather"]);
    expect(new Set(calls.map((one) => one.id)).size).toBe(2);
    expect(JSON.parse(calls[1]?.function.arguments ?? "")).toHaveProperty("unit");
    const echoed = await client.chat.completions.create({
      model: MODEL,
      tools: [WEATHER],
      messages: [
        ...request.messages,
        { role: "assistant", content: null, tool_calls: [call!] },
        { role: "tool", tool_call_id: call!.id, content: "18 degrees" },
      ],
    });
    expect(echoed.choices[0]?.message.content).toBe("The tool answered: 18 degrees");
  });

  test("fills a JSON schema", async () => {
    const schema = {
      type: "object",
      additionalProperties: false,
      required: ["name", "score", "kind", "tags"],
      properties: {
        name: { type: "string" },
        score: { type: "integer", minimum: 3, maximum: 5 },
        kind: { $ref: "#/$defs/kind" },
        tags: { type: "array", items: { type: "string" } },
      },
      $defs: { kind: { enum: ["a", "b"] } },
    };
    const answer = await client.chat.completions.create({
      ...ask("Give me JSON"),
      response_format: { type: "json_schema", json_schema: { name: "thing", strict: true, schema } },
    });
    const value = JSON.parse(answer.choices[0]?.message.content ?? "") as {
      score: number;
      kind: string;
      tags: string[];
    };
    expect(value.score).toBeWithin(3, 6);
    expect(["a", "b"]).toContain(value.kind);
    expect(value.tags).toBeArrayOfSize(2);
  });

  test("sees images and labels sentiment", async () => {
    const seen = await client.chat.completions.create({
      model: MODEL,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "[[sim:image]]" },
            { type: "image_url", image_url: { url: PNG } },
          ],
        },
      ],
    });
    expect(seen.choices[0]?.message.content).toBe("I received 1 image: image/png.");
    const label = await client.chat.completions.create(ask("Answer POSITIVE, NEGATIVE or NEUTRAL: I love this place"));
    expect(label.choices[0]?.message.content).toBe("POSITIVE");
  });

  test("lists models", async () => {
    const models = await client.models.list();
    expect(models.data.map((model) => model.id)).toEqual([MODEL]);
  });

  test("refuses a wrong key, a bad role, a stray tool result and gateway fields", async () => {
    const stranger = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: "sk-wrong-0123456789", maxRetries: 0 });
    expect(await failureOf(stranger.chat.completions.create(ask("x")))).toBeInstanceOf(OpenAI.AuthenticationError);
    const bad = (body: object) => client.chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming);
    for (const body of [
      { model: MODEL, messages: [{ role: "robot", content: "x" }] },
      { model: MODEL, messages: [{ role: "tool", tool_call_id: "a", content: "x" }] },
      { ...ask("x"), routing: {} },
      { ...ask("x"), routing_strategy: "cheap" },
      { model: MODEL },
    ]) {
      expect(await failureOf(bad(body))).toBeInstanceOf(OpenAI.BadRequestError);
    }
    const long = await failureOf(client.chat.completions.create(ask("word ".repeat(4000))));
    if (flavour === "ollama") expect(long).toHaveProperty("usage.prompt_tokens", 4096);
    else
      expect(String(long)).toMatch(
        /maximum context length is 4096 tokens|exceeds the available context size \(4096 tokens\)/,
      );
  });

  test("logs an aborted stream", async () => {
    const stream = await client.chat.completions.create({ ...ask("[[sim:tokens=200]] [[sim:pace=20]]"), stream: true });
    for await (const _chunk of stream) break;
    const hit = await simulator.waitForHit((one) => one.aborted && one.endedAt !== null, 2_000);
    expect(hit.tokensProduced).toBeLessThan(200);
    expect(hit.abortedAt).toBeGreaterThan(hit.startedAt);
  });
});
