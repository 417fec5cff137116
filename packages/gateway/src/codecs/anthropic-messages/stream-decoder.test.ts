import { describe, expect, test } from "bun:test";
import type { ChatEvent } from "../../core/chat-event.ts";
import { emptyReplyState } from "../codec.ts";
import { decodeResponse } from "./decode-response.ts";
import { anthropicStreamDecoder } from "./stream-decoder.ts";

const begin = { type: "message_start", message: { id: "m", model: "x", usage: { input_tokens: 3, output_tokens: 1 } } };
const open = (index: number, content_block: object) => ({ type: "content_block_start", index, content_block });
const text = { type: "text", text: "a" };
const tool = { type: "tool_use", id: "t", name: "f", input: {} };
const input = (index: number, partial_json: string) => ({
  type: "content_block_delta",
  index,
  delta: { type: "input_json_delta", partial_json },
});
const close = (index: number) => ({ type: "content_block_stop", index });
const finish = (stop_reason: string) => ({ type: "message_delta", delta: { stop_reason } });
const stop = { type: "message_stop" };

function decode(...sent: readonly object[]): ChatEvent[] {
  const decoder = anthropicStreamDecoder(emptyReplyState);
  const events = sent.flatMap((one) => [...decoder.push({ event: undefined, data: JSON.stringify(one) })]);
  return [...events, ...decoder.end()];
}
const lastOf = (events: readonly ChatEvent[]) => {
  const last = events.at(-1);
  return last?.type === "error" ? last.error.code : last?.type;
};
const argumentsOf = (events: readonly ChatEvent[]) =>
  events.flatMap((event) => (event.type === "tool-arguments" ? [[event.index, event.text]] : []));

describe("anthropicStreamDecoder", () => {
  test("takes message_stop for the end without a stop reason only when an answer is there, and whole", () => {
    expect(lastOf(decode(begin, open(0, text), close(0), stop))).toBe("end");
    expect(lastOf(decode(begin, open(0, tool), input(0, "{}"), close(0), stop))).toBe("end");
    expect(lastOf(decode(begin, open(0, tool), input(0, '{"a":'), stop))).toBe("stream_interrupted");
    expect(lastOf(decode(begin, stop))).toBe("stream_interrupted");
    expect(lastOf(decode(stop))).toBe("stream_interrupted");
    expect(lastOf(decode(begin, finish("end_turn"), stop))).toBe("end");
  });

  test("ends a block whose index another takes, before the other begins", () => {
    const events = decode(
      begin,
      open(0, tool),
      open(0, { ...tool, id: "u" }),
      input(0, "[]"),
      finish("tool_use"),
      stop,
    );
    expect(argumentsOf(events)).toEqual([
      [0, "{}"],
      [1, "[]"],
    ]);
    expect(lastOf(events)).toBe("end");
  });

  test("closes a call that the stream left open", () => {
    expect(argumentsOf(decode(begin, open(0, tool), finish("tool_use"), stop))).toEqual([[0, "{}"]]);
    expect(argumentsOf(decode(begin, open(0, tool), finish("max_tokens"), stop))).toEqual([]);
  });

  test("refuses a call without a name, as the whole answer does", () => {
    const nameless = { type: "tool_use", id: "t", input: {} };
    const events = decode(begin, open(0, nameless), finish("tool_use"), stop);
    expect(lastOf(events)).toBe("malformed_tool_call");
    expect(events.some((event) => event.type === "tool-call")).toBe(false);
    expect(lastOf(decode({ type: "message_start", message: { content: [nameless] } }, stop))).toBe(
      "malformed_tool_call",
    );
    expect(() => decodeResponse({ content: [nameless], stop_reason: "tool_use" }, emptyReplyState)).toThrow(
      "The upstream called a tool without a name.",
    );
  });

  test("reports usage that only the start told, and an error after the stop reason", () => {
    const told = decode(begin, open(0, text), finish("end_turn"), stop).filter((event) => event.type === "usage");
    expect(told.at(-1)?.usage).toMatchObject({ inputTokens: 3, outputTokens: 1 });
    const error = { type: "error", error: { type: "overloaded_error", message: "x" } };
    expect(lastOf(decode(begin, open(0, text), finish("end_turn"), error, stop))).toBe("overloaded");
  });
});
