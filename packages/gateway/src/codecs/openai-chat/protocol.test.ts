import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../core/errors.ts";
import type { JsonObject } from "../../lib/json.ts";
import { type CodecTarget, defaultTranslationPolicy, emptyReplyState } from "../codec.ts";
import { openAiChatDialect as dialect } from "./dialect.ts";
import { openAiChatProtocol as protocol } from "./protocol.ts";

const hi = { role: "user", content: "hi" };

function encode(body: JsonObject, target: Partial<CodecTarget> = {}) {
  const request = dialect.decodeRequest({ messages: [hi], ...body });
  return protocol.encode(request, { model: "m", provider: "vllm", ...target }, defaultTranslationPolicy);
}

describe("encodeRequest", () => {
  test("passes on what it knows and what it does not", () => {
    const { body, dropped, path } = encode({
      model: "x",
      temperature: 0.5,
      top_k: 4,
      seed: 7,
      guided_json: {},
      max_completion_tokens: 9,
      user: "u",
      stream: true,
    });
    expect(path).toBe("/chat/completions");
    expect(body).toEqual({
      model: "m",
      messages: [hi],
      temperature: 0.5,
      top_k: 4,
      seed: 7,
      guided_json: {},
      max_tokens: 9,
      user: "u",
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(dropped).toEqual([]);
  });

  test("speaks the newest words to OpenAI", () => {
    const { body, dropped } = encode(
      { max_tokens: 9, user: "u", top_k: 4, service_tier: "flex" },
      { provider: "openai" },
    );
    expect(body).toMatchObject({ max_completion_tokens: 9, safety_identifier: "u", service_tier: "flex" });
    expect(dropped).toEqual(["top_k"]);
  });

  test("clamps the limit and says so", () => {
    const { body, dropped } = encode({ max_tokens: 900 }, { maxOutputTokens: 100 });
    expect(body["max_tokens"]).toBe(100);
    expect(dropped).toEqual(["max_tokens"]);
  });

  test("wraps custom tools where only functions exist, and unwraps the answer", () => {
    const custom = { type: "custom", custom: { name: "patch", description: "D" } };
    const messages = [
      hi,
      { role: "assistant", tool_calls: [{ id: "c", type: "custom", custom: { name: "patch", input: "x" } }] },
      { role: "tool", tool_call_id: "c", content: "ok" },
    ];
    const { body, state } = encode({ tools: [custom], messages });
    expect(body).toMatchObject({
      tools: [{ type: "function", function: { name: "patch", description: "D" } }],
      messages: [
        hi,
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "c", type: "function", function: { name: "patch", arguments: '{"input":"x"}' } }],
        },
        { role: "tool" },
      ],
    });
    const answer = {
      choices: [{ message: { tool_calls: [{ id: "d", function: { name: "patch", arguments: '{"input":"y"}' } }] } }],
    };
    expect(protocol.decodeResponse(answer, state).toolCalls).toEqual([
      { id: "d", name: "patch", arguments: "y", custom: true },
    ]);
    expect(encode({ tools: [custom] }, { provider: "openai" }).body["tools"]).toEqual([custom]);
  });

  test("puts images of tool results behind the results", () => {
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } };
    const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
    const { body } = encode({
      messages: [
        hi,
        { role: "assistant", content: "a", tool_calls: [call("1"), call("2")] },
        { role: "tool", tool_call_id: "1", content: [{ type: "text", text: "see" }, image] },
        { role: "tool", tool_call_id: "2", content: "two" },
        { role: "user", content: "and?" },
      ],
    });
    expect((body["messages"] as JsonObject[]).slice(2)).toEqual([
      { role: "tool", tool_call_id: "1", content: "see\n[attached below]" },
      { role: "tool", tool_call_id: "2", content: "two" },
      { role: "user", content: [image] },
      { role: "user", content: "and?" },
    ]);
  });

  test("gives reasoning back where it is read, and reports it elsewhere", () => {
    const messages = [hi, { role: "assistant", content: "a", reasoning_content: "hm" }, hi];
    expect(encode({ messages }).body).toMatchObject({ messages: [hi, { reasoning: "hm" }, hi] });
    const openAi = encode({ messages }, { provider: "openai" });
    expect(openAi.dropped).toEqual(["messages[1].reasoning_content"]);
  });

  test("joins system texts for servers whose templates take one string", () => {
    const messages = [
      {
        role: "system",
        content: [
          { type: "text", text: "A" },
          { type: "text", text: "B" },
        ],
      },
      hi,
    ];
    expect(encode({ messages }).body["messages"]).toEqual([{ role: "system", content: "A\n\nB" }, hi]);
  });
});

describe("a request decoded, encoded and decoded again", () => {
  test("is the same request", () => {
    const body = {
      messages: [
        { role: "system", content: "S" },
        {
          role: "user",
          name: "bob",
          content: [
            { type: "text", text: "see" },
            { type: "image_url", image_url: { url: "https://e.test/a.png", detail: "low" } },
          ],
        },
        {
          role: "assistant",
          content: "a",
          tool_calls: [{ id: "c1", type: "function", function: { name: "f", arguments: "{}" } }],
        },
        { role: "tool", tool_call_id: "c1", content: "r" },
        {
          role: "user",
          content: [
            { type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } },
            { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
          ],
        },
      ],
      tools: [
        { type: "function", function: { name: "f", description: "d", parameters: { type: "object" }, strict: true } },
        { type: "custom", custom: { name: "p" } },
      ],
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: {
          mode: "required",
          tools: [
            { type: "function", function: { name: "f" } },
            { type: "custom", custom: { name: "p" } },
          ],
        },
      },
      parallel_tool_calls: false,
      max_completion_tokens: 7,
      temperature: 1.5,
      top_p: 0.5,
      stop: ["a", "b"],
      response_format: { type: "json_schema", json_schema: { name: "r", schema: { type: "object" }, strict: true } },
      reasoning_effort: "low",
      stream: true,
      stream_options: { include_usage: true },
      safety_identifier: "u",
      service_tier: "flex",
      n: 2,
      seed: 7,
      model: "m",
    };
    const request = dialect.decodeRequest(body);
    const { body: encoded, dropped } = protocol.encode(
      request,
      { model: "m", provider: "openai" },
      defaultTranslationPolicy,
    );
    expect(dropped).toEqual([]);
    expect(dialect.decodeRequest(JSON.parse(JSON.stringify(encoded)))).toEqual(request);
  });
});

describe("decodeResponse", () => {
  test("reads deviant answers", () => {
    const completion = protocol.decodeResponse(
      {
        id: "c",
        model: "m",
        choices: [
          {
            finish_reason: "stop",
            message: { content: "", reasoning: "hm", tool_calls: [{ function: { name: "f", arguments: { a: 1 } } }] },
          },
        ],
      },
      emptyReplyState,
    );
    expect(completion).toMatchObject({ text: null, reasoning: "hm", finishReason: "tool_calls", usage: undefined });
    expect(completion.toolCalls[0]).toMatchObject({ name: "f", arguments: '{"a":1}' });
    expect(completion.toolCalls[0]?.id).toMatch(/^call_/);
  });

  test("refuses what is no answer", () => {
    const code = (body: unknown) => {
      try {
        protocol.decodeResponse(body, emptyReplyState);
      } catch (thrown) {
        return thrown instanceof GatewayError ? thrown.code : thrown;
      }
      return undefined;
    };
    expect([null, "x", {}, { choices: [] }, { choices: [{}] }].map(code)).toEqual(
      Array.from({ length: 5 }, () => "bad_upstream_response"),
    );
    expect(code({ error: { message: "boom", code: 500 } })).toBe("upstream_error");
  });

  test("survives a round through the client's format", () => {
    const answer = {
      id: "c",
      model: "m",
      choices: [
        {
          index: 0,
          finish_reason: "stop",
          message: { role: "assistant", content: "hi", refusal: null, reasoning_content: "hm" },
        },
      ],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 2,
        prompt_tokens_details: { cached_tokens: 1, audio_tokens: 1 },
        completion_tokens_details: { reasoning_tokens: 1, audio_tokens: 1 },
      },
    };
    const completion = protocol.decodeResponse(answer, emptyReplyState);
    const encoded = dialect.encodeResponse(completion, { id: "c", createdAt: 1, model: "m", includeUsage: true });
    const { usage, ...again } = protocol.decodeResponse(encoded, emptyReplyState);
    expect({ ...again, usage: usage?.usage }).toEqual({ ...completion, usage: completion.usage?.usage });
    expect(completion.usage?.raw).toEqual(answer.usage);
    expect(encoded).toMatchObject({ object: "chat.completion", usage: { total_tokens: 5 } });
  });
});
