import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readVectors } from "../../test/vector.ts";
import type { ChatEvent } from "../core/chat-event.ts";
import { sseReader } from "../framing/sse-reader.ts";
import { sseData, sseEvent } from "../framing/sse-writer.ts";
import type { JsonObject } from "../lib/json.ts";
import { emptyReplyState, type ReplyState, type StreamDecoder } from "./codec.ts";
import { protocols } from "./registry.ts";

const state: ReplyState = { jsonTool: "json", toolNames: new Map([["b", "a.b"]]), customTools: new Set(["patch"]) };
const bytesOf = (text: string) => new TextEncoder().encode(text);

function decodeBody(decoder: StreamDecoder, chunks: readonly Uint8Array[]): ChatEvent[] {
  const reader = sseReader();
  const events: ChatEvent[] = [];
  for (const chunk of chunks) for (const event of reader.push(chunk)) events.push(...decoder.push(event));
  for (const event of reader.end()) events.push(...decoder.push(event));
  events.push(...decoder.end());
  return events;
}

function split(body: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (body.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, i) => body.subarray(from, places[i] ?? body.length));
}

/** Errors are compared by what they say. */
const comparable = (events: readonly ChatEvent[]) =>
  events.map((event) => (event.type === "error" ? { type: "error", code: event.error.code } : event));

const openAiBody =
  [
    { id: "c1", model: "m", choices: [{ index: 0, delta: { role: "assistant", content: "" } }] },
    { id: "c1", choices: [{ index: 0, delta: { reasoning: "hä" } }] },
    { id: "c1", choices: [{ index: 0, delta: { content: "Grüße 😀\n" } }] },
    {
      id: "c1",
      choices: [
        { index: 0, delta: { tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: '{"a"' } }] } },
      ],
    },
    {
      id: "c1",
      choices: [
        { index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: ":1}" } }] }, finish_reason: "stop" },
      ],
    },
    { id: "c1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } },
  ]
    .map(sseData)
    .join(": keep-alive\r\n\r\n") + "data: [DONE]\n\n";

interface StreamGiven {
  readonly events: readonly JsonObject[];
}

describe("stream decoders", async () => {
  const vectors = await readVectors<StreamGiven, unknown>("anthropic-to-openai-stream");
  const bodies = [
    { name: "openai-chat" as const, body: openAiBody },
    ...vectors.map(({ given }) => ({
      name: "anthropic-messages" as const,
      body: given.events.map((event) => (event["$eof"] ? "" : sseEvent(String(event["type"]), event))).join(""),
    })),
  ];

  test("give equal events whole, byte by byte and under any split", () => {
    for (const { name, body } of bodies) {
      const bytes = bytesOf(body);
      const decode = (chunks: readonly Uint8Array[]) =>
        comparable(decodeBody(protocols[name].streamDecoder(emptyReplyState), chunks));
      const whole = decode([bytes]);
      expect(decode([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
          expect(decode(split(bytes, cuts))).toEqual(whole);
        }),
        { numRuns: 20, seed: 11 },
      );
    }
  });

  for (const name of ["openai-chat", "anthropic-messages"] as const) {
    test(`${name}: arbitrary junk ends with end or error, once, and nothing follows it`, () => {
      fc.assert(
        fc.property(fc.array(junk(name), { maxLength: 12 }), (list) => {
          const decoder = protocols[name].streamDecoder(state);
          const events = list.flatMap((data) => [...decoder.push({ event: undefined, data })]);
          events.push(...decoder.end());
          const last = events.at(-1)?.type;
          expect(last === "end" || last === "error").toBe(true);
          const ends = events.filter((event) => event.type === "end" || event.type === "error");
          expect(ends).toHaveLength(1);
          expect(decoder.push({ event: undefined, data: "{}" })).toEqual([]);
          expect(decoder.end()).toEqual([]);
        }),
        { numRuns: 400 },
      );
    });
  }
});

/** Events that look right and are broken somewhere, and plain rubbish. */
function junk(name: "openai-chat" | "anthropic-messages"): fc.Arbitrary<string> {
  const any = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(null, 0, "", "f", [], {}, "stop", "tool_use", "json", "patch"),
  );
  const index = fc.oneof(fc.nat(2), any);
  const openAiCall = fc.record(
    { index, id: any, function: fc.record({ name: any, arguments: any }) },
    { requiredKeys: [] },
  );
  const openAi = fc.record(
    {
      id: any,
      choices: fc.array(
        fc.record(
          {
            index,
            delta: fc.record(
              { content: any, reasoning: any, tool_calls: fc.array(openAiCall), function_call: any },
              { requiredKeys: [] },
            ),
            finish_reason: any,
          },
          { requiredKeys: [] },
        ),
        { maxLength: 2 },
      ),
      usage: any,
    },
    { requiredKeys: [] },
  );
  const kinds = fc.constantFrom("text", "thinking", "tool_use", "redacted_thinking", "server_tool_use");
  const deltas = fc.constantFrom(
    "text_delta",
    "thinking_delta",
    "input_json_delta",
    "signature_delta",
    "citations_delta",
  );
  const anthropic = fc.record(
    {
      type: fc.constantFrom(
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
        "odd",
      ),
      index,
      message: fc.record(
        { id: any, content: fc.array(fc.record({ type: kinds, input: any })), usage: any },
        { requiredKeys: [] },
      ),
      content_block: fc.record(
        { type: kinds, id: any, name: any, input: any, text: any, citations: any },
        { requiredKeys: ["type"] },
      ),
      delta: fc.record(
        { type: deltas, text: any, thinking: any, partial_json: any, signature: any, citation: any, stop_reason: any },
        { requiredKeys: [] },
      ),
      usage: any,
      error: fc.constantFrom(undefined, undefined, undefined, { type: "x" }),
    },
    { requiredKeys: ["type"] },
  );
  const likely = (name === "openai-chat" ? openAi : anthropic).map((value) => JSON.stringify(value));
  return fc.oneof({ weight: 8, arbitrary: likely }, fc.string(), fc.json(), fc.constant("[DONE]"));
}
