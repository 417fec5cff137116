import { describe, expect, test } from "bun:test";
import type { ChatEvent } from "../../core/chat-event.ts";
import { emptyReplyState, type ReplyState } from "../codec.ts";
import { openAiStreamDecoder } from "./stream-decoder.ts";

function decode(data: readonly unknown[], state: ReplyState = emptyReplyState): ChatEvent[] {
  const decoder = openAiStreamDecoder(state);
  const events = data.flatMap((one) => [
    ...decoder.push({ event: undefined, data: typeof one === "string" ? one : JSON.stringify(one) }),
  ]);
  return [...events, ...decoder.end()];
}

const delta = (value: object, finish_reason: string | null = null) => ({
  id: "c",
  model: "m",
  choices: [{ index: 0, delta: value, finish_reason }],
});
const call = (value: object, finish: string | null = null) => delta({ tool_calls: [value] }, finish);
const start: ChatEvent = { type: "start", id: "c", model: "m" };
const text = (value: string): ChatEvent => ({ type: "text", text: value });
const opened = (index: number, id: string, name: string): ChatEvent => ({ type: "tool-call", index, id, name });
const args = (index: number, value: string): ChatEvent => ({ type: "tool-arguments", index, text: value });
const ended = (reason: "stop" | "tool_calls" | "length"): ChatEvent[] => [{ type: "finish", reason }, { type: "end" }];
const codeOf = (events: readonly ChatEvent[]) => {
  const last = events.at(-1);
  return last?.type === "error" ? last.error.code : last?.type;
};

describe("openAiStreamDecoder", () => {
  test("reads reasoning under every name", () => {
    const thought: ChatEvent = { type: "reasoning", text: "hm" };
    expect(
      decode([delta({ reasoning: "hm" }), delta({ reasoning_content: "hm", reasoning: "hm" })]).slice(1, 3),
    ).toEqual([thought, thought]);
    const parts = [
      { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
      { type: "text", text: "a" },
    ];
    expect(decode([delta({ content: parts }, "stop"), "[DONE]"])).toEqual([
      start,
      thought,
      text("a"),
      ...ended("stop"),
    ]);
  });

  test("says tool_calls where the server says stop", () => {
    expect(
      decode([call({ index: 0, id: "t", function: { name: "f", arguments: "{}" } }), delta({}, "stop"), "[DONE]"]),
    ).toEqual([start, opened(0, "t", "f"), args(0, "{}"), ...ended("tool_calls")]);
  });

  test("takes arguments as an object, a missing index and the finish in the same chunk", () => {
    expect(decode([call({ id: "t", function: { name: "f", arguments: { a: 1 } } }, "tool_calls")])).toEqual([
      start,
      opened(0, "t", "f"),
      args(0, '{"a":1}'),
      ...ended("tool_calls"),
    ]);
  });

  test("holds a call until its name is known", () => {
    const events = decode([
      call({ index: 0, id: "t", function: { arguments: '{"a"' } }),
      call({ index: 0, id: "", function: { name: "f", arguments: ":1}" } }),
      call({ index: 0, id: null, type: null, function: { name: null, arguments: " " } }),
      "[DONE]",
    ]);
    expect(events).toEqual([start, opened(0, "t", "f"), args(0, '{"a":1}'), args(0, " "), ...ended("tool_calls")]);
  });

  test("tells calls apart that share an index", () => {
    const events = decode([
      call({ index: 0, id: "t1", function: { name: "f", arguments: "{}" } }),
      call({ index: 0, id: "t2", function: { name: "f", arguments: "{}" } }),
      call({ index: 0, function: { name: "f", arguments: "{}" } }),
      delta({}, "tool_calls"),
    ]);
    const opens = events.filter((event) => event.type === "tool-call");
    expect(opens.map((event) => event.index)).toEqual([0, 1, 2]);
    expect(new Set(opens.map((event) => event.id)).size).toBe(3);
  });

  test("keeps interleaved calls apart", () => {
    const events = decode([
      call({ index: 0, id: "t1", function: { name: "f", arguments: "" } }),
      call({ index: 1, id: "t2", function: { name: "g", arguments: "" } }),
      call({ index: 0, function: { arguments: "1" } }),
      call({ index: 1, function: { arguments: "2" } }),
      delta({}, "tool_calls"),
    ]);
    expect(events.slice(1, 5)).toEqual([opened(0, "t1", "f"), opened(1, "t2", "g"), args(0, "1"), args(1, "2")]);
  });

  test("reads the old function_call", () => {
    const events = decode([
      delta({ function_call: { name: "f", arguments: "{" } }),
      delta({ function_call: { arguments: "}" } }, "function_call"),
    ]);
    expect(events.filter((event) => event.type === "tool-call")).toHaveLength(1);
    expect(events.at(-2)).toEqual({ type: "finish", reason: "tool_calls" });
  });

  test("unwraps custom tools and restores names", () => {
    const state = { toolNames: new Map([["a_b", "a.b"]]), customTools: new Set(["patch"]) };
    const events = decode(
      [
        call({ index: 0, id: "t1", function: { name: "a_b", arguments: "{}" } }),
        call({ index: 1, id: "t2", function: { name: "patch", arguments: '{"input":' } }),
        call({ index: 1, function: { arguments: '"x"}' } }, "tool_calls"),
      ],
      state,
    );
    expect(events.slice(1)).toEqual([
      opened(0, "t1", "a.b"),
      args(0, "{}"),
      { type: "tool-call", index: 1, id: "t2", name: "patch", custom: true },
      args(1, "x"),
      ...ended("tool_calls"),
    ]);
  });

  test("skips chunks without meaning and takes the last finish", () => {
    const events = decode([
      { id: "c", model: "m", choices: [], prompt_filter_results: [] },
      { choices: [{ index: 0 }] },
      delta({ role: "", content: null, tool_calls: null, refusal: false }, "stop"),
      delta({ content: "a" }, "stop"),
      { choices: [{ index: 1, delta: { content: "other choice" } }], usage: null },
      delta({}, "length"),
      "[DONE]",
      delta({ content: "late" }),
    ]);
    expect(events).toEqual([start, text("a"), ...ended("length")]);
  });

  test("takes a whole message in place of a delta, but not what was streamed already", () => {
    const whole = { id: "c", model: "m", choices: [{ index: 0, message: { content: "a" }, finish_reason: "stop" }] };
    expect(decode([whole, "[DONE]"])).toEqual([start, text("a"), ...ended("stop")]);
    expect(decode([delta({ content: "a" }), whole, "[DONE]"])).toEqual([start, text("a"), ...ended("stop")]);
  });

  test("reports usage wherever it stands", () => {
    const usage = {
      prompt_tokens: 5,
      completion_tokens: 2,
      total_tokens: 10,
      completion_tokens_details: { reasoning_tokens: 3 },
    };
    const events = decode([{ ...delta({ content: "a" }, "stop"), usage }, "[DONE]"]);
    expect(events.at(-2)).toMatchObject({
      type: "usage",
      usage: { inputTokens: 5, outputTokens: 5, reasoningTokens: 3 },
    });
  });

  test("ends with an error where the answer did not end", () => {
    expect(
      codeOf(decode([delta({ content: "a" }), { error: { message: "EngineDeadError", code: 500 } }, "[DONE]"])),
    ).toBe("upstream_error");
    expect(codeOf(decode([{ object: "error", message: "Too many", code: 429 }]))).toBe("rate_limited");
    expect(codeOf(decode([delta({ content: "a" })]))).toBe("stream_interrupted");
    expect(codeOf(decode([]))).toBe("stream_interrupted");
    expect(codeOf(decode(["[DONE]"]))).toBe("stream_interrupted");
    expect(codeOf(decode(["<html>"]))).toBe("bad_upstream_response");
    expect(codeOf(decode([delta({}, "abort")]))).toBe("upstream_error");
    expect(codeOf(decode([call({ index: 0, id: "t", function: { arguments: "{}" } }, "stop")]))).toBe(
      "malformed_tool_call",
    );
  });

  test("takes [DONE] for the end when the finish reason never came, EOF when it did", () => {
    expect(decode([delta({ content: "a" }), "[DONE]"])).toEqual([start, text("a"), ...ended("stop")]);
    expect(decode([delta({ content: "a" }, "stop")])).toEqual([start, text("a"), ...ended("stop")]);
  });
});
