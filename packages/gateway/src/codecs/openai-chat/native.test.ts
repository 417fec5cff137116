import { describe, expect, test } from "bun:test";
import type { NativeEdits } from "../native-format.ts";
import { openAiChatNative } from "./native.ts";

const edits: NativeEdits = {
  model: "m",
  isModelNamed: true,
  addUsage: false,
  remove: [],
  rename: [],
  maxTokens: undefined,
};
const strip = (raw: string) => openAiChatNative.editRequest(raw, { ...edits, stripThinking: true });

describe("editRequest", () => {
  test("takes an assistant's earlier thinking out of the messages, and nothing else", () => {
    const messages = [
      { role: "user", content: "hä \u{1F600}", reasoning: "a user's own" },
      {
        role: "assistant",
        content: null,
        thinking_blocks: [{ type: "thinking", thinking: "hm", signature: "s" }],
        reasoning_content: "hm",
        reasoning: "hm",
        tool_calls: [{ id: "t", type: "function", function: { name: "f", arguments: '{ "a": 1.0 }' } }],
      },
      { role: "tool", tool_call_id: "t", content: "ok" },
    ];
    const raw = `{ "model": "m",  "seed": 12345678901234567890, "messages": ${JSON.stringify(messages)}, "x": 1.0 }`;
    const { thinking_blocks: _, reasoning_content: __, reasoning: ___, ...plain } = messages[1]!;
    const stripped = JSON.stringify([messages[0], plain, messages[2]]);
    expect(strip(raw)).toBe(`{ "model": "m",  "seed": 12345678901234567890, "messages": ${stripped}, "x": 1.0 }`);
  });

  test("leaves a request without earlier thinking byte for byte", () => {
    const raw = `{ "model": "m", "messages": [ {"role":"assistant", "content":"thinking_blocks"} ], "seed": 1.0 }`;
    expect(strip(raw)).toBe(raw);
  });

  test("finds thinking under escaped names, and takes messages of no known shape as they are", () => {
    const raw = String.raw`{"model":"m","mess\u0061ges":[{"role":"assistant","reasonin\u0067":"hm"},1,null]}`;
    expect(JSON.parse(strip(raw))).toEqual({ model: "m", messages: [{ role: "assistant" }, 1, null] });
    expect(strip('{"model":"m","messages":"thinking_blocks"}')).toBe('{"model":"m","messages":"thinking_blocks"}');
    expect(JSON.parse(strip('{"model":"m"}'))).toEqual({ model: "m" });
  });

  test("strips beside other edits", () => {
    const raw = '{"model":"a","messages":[{"role":"assistant","content":"x","thinking_blocks":[]}]}';
    const edited = openAiChatNative.editRequest(raw, { ...edits, isModelNamed: false, stripThinking: true });
    expect(edited).toBe('{"model":"m","messages":[{"role":"assistant","content":"x"}]}');
  });
});
