import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { JsonObject } from "../../lib/json.ts";
import { defaultTranslationPolicy } from "../codec.ts";
import { openAiChatDialect } from "../openai-chat/dialect.ts";
import { encodeRequest } from "./encode-request.ts";

/** Rounds of a conversation as a client really holds it: a question, calls with results, an answer. */
const ids = fc.constantFrom("call_0", "functions.f:0", "x", "a.b");
const text = fc.constantFrom("one", "two", "", " ", "Grüße");
const round = fc
  .record({
    question: text,
    calls: fc.array(fc.tuple(ids, text), { maxLength: 3 }),
    answer: text,
    custom: fc.boolean(),
  })
  .map(({ question, calls, answer }): JsonObject[] => {
    const unique = [...new Map(calls).entries()];
    const asked = unique.map(([id]) => ({ id, type: "function", function: { name: "f", arguments: '{"q":1}' } }));
    return [
      { role: "user", content: question },
      ...(asked.length > 0 ? [{ role: "assistant", content: answer, tool_calls: asked }] : []),
      ...unique.toReversed().map(([id, content]) => ({ role: "tool", tool_call_id: id, content })),
      { role: "assistant", content: `${answer}.` },
    ];
  });

function encode(messages: readonly JsonObject[]): JsonObject[] {
  const body = { messages, tools: [{ type: "function", function: { name: "f" } }] };
  const target = { model: "claude-opus-5", provider: "anthropic" };
  const request = openAiChatDialect.decodeRequest(body);
  return encodeRequest(request, target, defaultTranslationPolicy).body["messages"] as JsonObject[];
}

describe("append-only translation", () => {
  test("a longer conversation begins with the bytes of the shorter one", () => {
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 4 }), round, (before, last) => {
        const question = { role: "user", content: "next question" };
        const history = [{ role: "system", content: "S" }, ...before.flat()];
        const shorter = encode([...history, question]);
        const longer = encode([...history, question, ...last.slice(1), { role: "user", content: "more" }]);
        expect(JSON.stringify(longer).startsWith(JSON.stringify(shorter).slice(0, -1))).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  test("roles alternate and every call is answered first in the next message", () => {
    const messy = fc.array(
      fc.oneof(
        round.map((list) => list.slice(0, 2)),
        round,
        round.map((list) => list.slice(1)),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(messy, (rounds) => {
        const messages = encode([{ role: "user", content: "q" }, ...rounds.flat()]);
        expect(messages[0]?.["role"]).toBe("user");
        messages.forEach((message, i) => {
          expect(message["role"]).toBe(i % 2 === 0 ? "user" : "assistant");
          const blocks = message["content"] as JsonObject[];
          expect(blocks.length).toBeGreaterThan(0);
          const calls = blocks.filter((block) => block["type"] === "tool_use").map((block) => block["id"]);
          const next = (messages[i + 1]?.["content"] ?? []) as JsonObject[];
          expect(next.slice(0, calls.length).map((block) => block["tool_use_id"] ?? null)).toEqual(calls as never[]);
        });
        const all = messages.flatMap((message) => message["content"] as JsonObject[]);
        const used = all.filter((block) => block["type"] === "tool_use").map((block) => block["id"]);
        expect(new Set(used).size).toBe(used.length);
      }),
      { numRuns: 150 },
    );
  });
});
