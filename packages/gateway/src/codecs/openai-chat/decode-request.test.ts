import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import { decodeRequest } from "./decode-request.ts";

const hi = { role: "user", content: "hi" };
const tool = { type: "function", function: { name: "f" } };

function refusal(body: JsonObject): { param: string | undefined; message: string } {
  try {
    decodeRequest(body);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.code !== "invalid_request") throw thrown;
    return { param: thrown.detail.param, message: thrown.message };
  }
  return { param: undefined, message: "accepted" };
}

const part = (value: unknown) => ({ messages: [{ role: "user", content: [value] }] });
const one = (message: unknown) => ({ messages: [hi, message] });
const image = (url: unknown) => part({ type: "image_url", image_url: { url } });
const asked = (member: object) => ({ messages: [hi], ...member });

test.each([
  { messages: "hunter2" },
  part("hunter2"),
  one("hunter2"),
  one({ role: "assistant", tool_calls: ["hunter2"] }),
])("what stands where a message belongs is refused without its text, which may be a prompt: %j", (body) => {
  expect(refusal(body).message).toContain("a string of 7 characters");
});

test("a role that does not exist is shown", () => {
  expect(refusal(one({ role: "robot", content: "x" })).message).toContain('the string "robot"');
});

/** Bodies that are refused, by the path that is blamed. */
const refused: readonly (readonly [string, JsonObject])[] = [
  ["messages", {}],
  ["messages", { messages: [] }],
  ["messages", { messages: null }],
  ["messages", { messages: "hi" }],
  ["messages[1]", one("hi")],
  ["messages[1].role", one({ content: "x" })],
  ["messages[1].role", one({ role: "robot", content: "x" })],
  ["messages[1].content", one({ role: "user" })],
  ["messages[1].content", one({ role: "user", content: 5 })],
  ["messages[1].content", one({ role: "system", content: null })],
  ["messages[1].tool_call_id", one({ role: "tool", content: "x" })],
  ["messages[1].tool_call_id", one({ role: "tool", tool_call_id: "", content: "x" })],
  ["messages[1].name", one({ role: "function", content: "x" })],
  ["messages[1].tool_calls", one({ role: "assistant", tool_calls: {} })],
  ["messages[1].tool_calls[0].function", one({ role: "assistant", tool_calls: [{ id: "a" }] })],
  ["messages[1].tool_calls[0].function.name", one({ role: "assistant", tool_calls: [{ id: "a", function: {} }] })],
  [
    "messages[1].tool_calls[0].function.arguments",
    one({ role: "assistant", tool_calls: [{ id: "a", function: { name: "f", arguments: {} } }] }),
  ],
  ["messages[0].content[0]", part("x")],
  ["messages[0].content[0].type", part({ text: "x" })],
  ["messages[0].content[0].type", part({ type: "video_url" })],
  ["messages[0].content[0].text", part({ type: "text" })],
  ["messages[0].content[0].image_url", part({ type: "image_url" })],
  ["messages[0].content[0].image_url.url", image(undefined)],
  ["messages[0].content[0].image_url.url", image("")],
  ["messages[0].content[0].image_url.url", image("file:///etc/passwd")],
  ["messages[0].content[0].image_url.url", image("ftp://e.test/a.png")],
  ["messages[0].content[0].image_url.url", image("data:text/html;base64,AAAA")],
  ["messages[0].content[0].image_url.url", image("data:image/png;base64,")],
  ["messages[0].content[0].image_url.url", image("https://")],
  ["messages[0].content[0].input_audio.data", part({ type: "input_audio", input_audio: { format: "wav" } })],
  ["messages[0].content[0].file.file_data", part({ type: "file", file: { filename: "a" } })],
  ["messages[0].content[0].file.file_data", part({ type: "file", file: { file_data: "data:text/plain,hi" } })],
  [
    "messages[1].content[0].type",
    one({ role: "system", content: [{ type: "image_url", image_url: { url: "https://e.test/a" } }] }),
  ],
  ["model", asked({ model: 5 })],
  ["temperature", asked({ temperature: 2.1 })],
  ["temperature", asked({ temperature: "0" })],
  ["temperature", asked({ temperature: Number.POSITIVE_INFINITY })],
  ["top_p", asked({ top_p: -0.1 })],
  ["top_k", asked({ top_k: 1.5 })],
  ["n", asked({ n: 0 })],
  ["n", asked({ n: 1e9 })],
  ["max_tokens", asked({ max_tokens: 0 })],
  ["max_tokens", asked({ max_tokens: -1, max_completion_tokens: 5 })],
  ["max_completion_tokens", asked({ max_completion_tokens: 1e300 })],
  ["presence_penalty", asked({ presence_penalty: 3 })],
  ["top_logprobs", asked({ top_logprobs: 21 })],
  ["logprobs", asked({ logprobs: 1 })],
  ["seed", asked({ seed: 1.5 })],
  ["stop", asked({ stop: 5 })],
  ["stop[1]", asked({ stop: ["a", 5] })],
  ["stream", asked({ stream: "yes" })],
  ["stream_options", asked({ stream_options: true })],
  ["stream_options.include_usage", asked({ stream_options: { include_usage: 1 } })],
  ["reasoning_effort", asked({ reasoning_effort: "huge" })],
  ["response_format.type", asked({ response_format: { type: "xml" } })],
  [
    "response_format.json_schema.schema",
    asked({ response_format: { type: "json_schema", json_schema: { name: "r", schema: [] } } }),
  ],
  ["tools", asked({ tools: {} })],
  ["tools[0].type", asked({ tools: [{ function: { name: "f" } }] })],
  ["tools[0].function", asked({ tools: [{ type: "function" }] })],
  ["tools[0].function.name", asked({ tools: [{ type: "function", function: {} }] })],
  ["tools[0].function.parameters", asked({ tools: [{ type: "function", function: { name: "f", parameters: [] } }] })],
  [
    "tools[0].function.parameters.type",
    asked({ tools: [{ type: "function", function: { name: "f", parameters: { type: "array" } } }] }),
  ],
  [
    "tools[0].function.parameters.required",
    asked({ tools: [{ type: "function", function: { name: "f", parameters: { required: "q" } } }] }),
  ],
  ["tool_choice", asked({ tools: [tool], tool_choice: "sometimes" })],
  ["tool_choice", asked({ tool_choice: "required" })],
  ["tool_choice.function.name", asked({ tools: [tool], tool_choice: { type: "function", function: { name: "g" } } })],
  ["parallel_tool_calls", asked({ parallel_tool_calls: "no" })],
];

describe("decodeRequest", () => {
  for (const [param, body] of refused) {
    test(`refuses ${JSON.stringify(body).slice(0, 100)} at ${param}`, () => {
      expect(refusal(body).param).toBe(param);
    });
  }

  test("says what was found and what was expected", () => {
    expect(refusal({ messages: [] }).message).toBe(
      "Invalid value for 'messages': expected a non-empty array of messages, got an empty array.",
    );
    expect(refusal({}).message).toStartWith("Missing required parameter 'messages'");
    expect(refusal(asked({ temperature: 9 })).message).toContain("expected a number between 0 and 2, got the number 9");
    const long = refusal(image(`file:///${"x".repeat(1000)}`)).message;
    expect(long).toContain("got a string of 1008 characters");
  });

  test("extracts what a target must be able to do", () => {
    const needsOf = (member: object) => [...decodeRequest(asked(member)).needs].sort();
    expect(needsOf({})).toEqual([]);
    expect(needsOf({ n: 1, logprobs: false, top_logprobs: 0, modalities: ["text"], tools: [] })).toEqual([]);
    expect(needsOf({ n: 2, logprobs: true, tools: [tool], modalities: ["text", "audio"] })).toEqual([
      "audio_out",
      "logprobs",
      "n",
      "tools",
    ]);
    expect(needsOf({ response_format: { type: "json_schema", json_schema: { name: "r", schema: {} } } })).toEqual([
      "json_schema",
    ]);
    const parts = [
      { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
      { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
      { type: "file", file: { file_data: "JVBERi0=" } },
    ];
    expect([...decodeRequest({ messages: [{ role: "user", content: parts }] }).needs].sort()).toEqual([
      "audio_in",
      "pdf",
      "vision",
    ]);
  });

  test("keeps unknown members, but not the gateway's own and not nulls", () => {
    const { extra } = decodeRequest(
      asked({ routing: {}, routing_strategy: "x", guided_json: { a: 1 }, seed: null, logit_bias: { "1": 2 } }),
    );
    expect(extra).toEqual({ guided_json: { a: 1 }, logit_bias: { "1": 2 } });
  });

  test("takes the newer of two limits, and null for absent", () => {
    expect(decodeRequest(asked({ max_tokens: 5, max_completion_tokens: 6 })).maxTokens).toBe(6);
    const nothing = decodeRequest(
      asked({ max_tokens: null, temperature: null, stop: null, tools: null, model: null, stream: null }),
    );
    expect([nothing.maxTokens, nothing.temperature, nothing.model, nothing.stream]).toEqual([
      undefined,
      undefined,
      undefined,
      false,
    ]);
  });

  test("gives the old function form the same id on both sides", () => {
    const messages = [
      hi,
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "function", name: "f", content: "r" },
    ];
    const [, assistant, answer] = decodeRequest({ messages }).messages;
    expect(
      assistant?.role === "assistant" && answer?.role === "tool" && assistant.toolCalls[0]?.id === answer.toolCallId,
    ).toBe(true);
  });

  test("yields a request or invalid_request for arbitrary JSON", () => {
    const any = fc.jsonValue({ maxDepth: 2 });
    const message = fc.record(
      {
        role: fc.constantFrom("system", "user", "assistant", "tool", "function", "x"),
        content: any,
        tool_calls: any,
        tool_call_id: any,
        name: any,
      },
      { requiredKeys: [] },
    );
    const body = fc.record(
      {
        messages: fc.oneof(fc.array(fc.oneof(message, any), { minLength: 1, maxLength: 3 }), any),
        tools: fc.oneof(
          fc.array(
            fc.record(
              { type: fc.constantFrom("function", "custom", "x"), function: any, custom: any },
              { requiredKeys: [] },
            ),
          ),
          any,
        ),
        tool_choice: any,
        temperature: any,
        stop: any,
        response_format: any,
        n: any,
        __proto__: any,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(body, fc.dictionary(fc.string(), any)), (value) => {
        const outcome = refusal(JSON.parse(JSON.stringify(value)) as JsonObject);
        expect(outcome.param === undefined ? outcome.message : "refused").toMatch(/^(accepted|refused)$/);
      }),
      { numRuns: 500 },
    );
  });
});
