import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NativeScan } from "./native-scan.ts";

const chunk = (delta: object, finish_reason: string | null = null, more: object = {}) =>
  JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }], ...more });
const kindOf = (data: string) => new NativeScan(false).scan(data).kind;

describe("NativeScan", () => {
  test("tells content from what does not commit", () => {
    const empty = [
      chunk({ role: "assistant", content: "" }),
      chunk({ role: "assistant", content: "", refusal: null, tool_calls: null }),
      chunk({ role: "assistant", content: null, tool_calls: [] }),
      chunk({ content: [] }),
      chunk({}, null, { usage: { prompt_tokens: 1 } }),
      JSON.stringify({ choices: [], prompt_filter_results: [{ content_filter_results: {} }] }),
      JSON.stringify({ choices: [], usage: { prompt_tokens: 1 } }),
    ];
    for (const data of empty) expect([data, kindOf(data)]).toEqual([data, "empty"]);
    const content = [
      chunk({ content: "a" }),
      chunk({ content: "", reasoning: "a" }),
      chunk({ reasoning_content: "a" }),
      chunk({ refusal: "no" }),
      chunk({ content: [{ type: "text", text: "a" }] }),
      chunk({ tool_calls: [{ index: 0, id: "t", function: { name: "f", arguments: "" } }] }),
      chunk({ function_call: { name: "f" } }),
      chunk({}, "stop"),
      `{ "choices" : [ { "delta" : { "content" : "a" } } ] }`,
    ];
    for (const data of content) expect([data, kindOf(data)]).toEqual([data, "content"]);
  });

  test("is not misled by what the model writes", () => {
    const scan = new NativeScan(true);
    const data = chunk({ content: '"error":{"usage":null,"finish_reason":"stop"} "choices" [DONE]' });
    expect(scan.scan(data)).toEqual({ kind: "content", forward: data });
    expect(scan.finishSeen).toBe(false);
    expect(kindOf(chunk({ content: "error" }))).toBe("content");
    expect(kindOf(chunk({ content: "usage" }))).toBe("content");
  });

  test("forwards untouched bytes when the client asked for usage", () => {
    const scan = new NativeScan(false);
    const usage = JSON.stringify({ id: "c", choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } });
    for (const data of [chunk({ content: "a" }, null, { usage: null }), chunk({}, "stop", { usage: null }), usage]) {
      expect(scan.scan(data).forward).toBe(data);
    }
    expect(scan.usage).toMatchObject({
      usage: { inputTokens: 7, outputTokens: 2 },
      raw: { prompt_tokens: 7, completion_tokens: 2 },
    });
    expect(scan.scan("[DONE]")).toEqual({ kind: "done", forward: "[DONE]" });
  });

  test("hides the usage only the gateway asked for", () => {
    const scan = new NativeScan(true);
    expect(scan.scan(chunk({ content: "a" }, null, { usage: null })).forward).toBe(chunk({ content: "a" }));
    const spaced = '{"choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}], "usage": null}';
    expect(JSON.parse(scan.scan(spaced).forward ?? "")).not.toHaveProperty("usage");
    expect(scan.scan(JSON.stringify({ choices: [], usage: { prompt_tokens: 7 } })).forward).toBeUndefined();
    expect(scan.usage?.usage.inputTokens).toBe(7);
    const withText = '{"usage":null,"error":null,"choices":[{"index":0,"delta":{"content":"c"}}]}';
    expect(JSON.parse(scan.scan(withText).forward ?? "")).not.toHaveProperty("usage");
  });

  test("finds usage behind a null one inside the choice", () => {
    const scan = new NativeScan(false);
    scan.scan('{"choices":[{"index":0,"delta":{"content":"a"},"usage":null}],"usage":{"prompt_tokens":3}}');
    expect(scan.usage?.usage.inputTokens).toBe(3);
    scan.scan('{"choices":[{"index":0,"delta":{},"usage":{"prompt_tokens":4}}]}');
    expect(scan.usage?.usage.inputTokens).toBe(4);
  });

  test("ends with an error once, and forwards nothing after it", () => {
    const scan = new NativeScan(false);
    scan.scan(chunk({ content: "a" }));
    const failed = scan.scan(JSON.stringify({ error: { message: "dead", type: "x", code: 500 } }));
    expect([failed.kind, failed.forward, failed.error?.code]).toEqual(["error", undefined, "upstream_error"]);
    expect(scan.scan("[DONE]")).toEqual({ kind: "empty", forward: undefined });
    expect(new NativeScan(false).scan("{").error?.code).toBe("bad_upstream_response");
    expect(new NativeScan(false).scan('{"object":"error","message":"x","code":429}').error?.code).toBe("rate_limited");
    expect(new NativeScan(false).scan(chunk({}, "abort")).error?.code).toBe("upstream_error");
    expect(kindOf(chunk({ content: "a" }, null, { error: null }))).toBe("content");
  });

  test("holds [DONE] and the end of the body to a finish", () => {
    const scan = new NativeScan(false);
    scan.scan(chunk({ content: "a" }));
    expect(scan.end()?.code).toBe("stream_interrupted");
    expect(scan.scan("[DONE]").error?.code).toBe("stream_interrupted");
    const done = new NativeScan(false);
    done.scan(chunk({}, "stop"));
    expect(done.end()).toBeUndefined();
  });

  test("takes an empty finish reason for none", () => {
    const scan = new NativeScan(false);
    expect(scan.scan(chunk({ role: "assistant", content: "" }, "")).kind).toBe("empty");
    expect(scan.scan(chunk({ content: "a" }, "")).kind).toBe("content");
    expect(scan.end()?.code).toBe("stream_interrupted");
  });

  test("takes an event named error for one, whatever its data", () => {
    const sent = [JSON.stringify({ message: "busy", code: 503 }), chunk({ content: "a" }), "EngineCore died"];
    const failed = sent.map((data) => new NativeScan(false).scan(data, "error"));
    expect(failed.map(({ kind, forward }) => [kind, forward])).toEqual(sent.map(() => ["error", undefined]));
    expect(failed.map(({ error }) => error?.code)).toEqual(["overloaded", "upstream_error", "upstream_error"]);
    expect(new NativeScan(false).scan(chunk({ content: "a" }), "message").kind).toBe("content");
  });

  test("with several choices, ends only when each of them has finished", () => {
    const of = (index: number, delta: object, finish: string | null = null) => ({
      index,
      delta,
      finish_reason: finish,
    });
    const event = (...choices: object[]) => JSON.stringify({ id: "c", choices });
    const scan = new NativeScan(false, 2);
    scan.scan(event(of(0, { content: "a" })));
    expect(scan.scan(event(of(0, {}, "stop"))).kind).toBe("content");
    scan.scan(event(of(0, {}, "stop")));
    scan.scan(event(of(1, { content: '"index":1,"finish_reason":"stop"' })));
    expect(scan.end()?.code).toBe("stream_interrupted");
    expect(scan.scan(event(of(1, {}, "length"))).kind).toBe("content");
    expect(scan.end()).toBeUndefined();
    expect(scan.scan("[DONE]").kind).toBe("done");

    const cut = new NativeScan(false, 2);
    cut.scan(event(of(1, {}, "stop")));
    expect(cut.scan("[DONE]").error?.code).toBe("stream_interrupted");

    const together = new NativeScan(false, 3);
    together.scan(event(of(0, { content: "a" }, "stop"), of(1, { content: "b" }), of(2, {}, "stop")));
    expect(together.end()?.code).toBe("stream_interrupted");
    expect(together.outputChars).toBe(2);
    together.scan('{ "choices": [ { "finish_reason": "stop", "delta": {}, "index": 1 } ] }');
    expect(together.end()).toBeUndefined();

    const failed = new NativeScan(false, 2);
    expect(failed.scan(event(of(0, {}, "stop"), of(1, {}, "error"))).error?.code).toBe("upstream_error");
  });

  test("an event of several choices is content when any of them brings something", () => {
    const scan = new NativeScan(false, 2);
    const event = (second: object) =>
      JSON.stringify({
        choices: [
          { index: 0, delta: { role: "assistant", content: "" } },
          { index: 1, delta: second },
        ],
      });
    expect(scan.scan(event({ content: "" })).kind).toBe("empty");
    expect(scan.scan(event({ content: "b" })).kind).toBe("content");
    expect(scan.scan(event({ tool_calls: [{ index: 0, function: { arguments: "{}" } }] })).kind).toBe("content");
  });

  test("a finish without an index is the first choice's, and usage may stand in any", () => {
    const scan = new NativeScan(true, 2);
    scan.scan('{"choices":[{"delta":{},"finish_reason":"stop"}]}');
    scan.scan('{"choices":[{"index":1,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":4}}],"usage":null}');
    expect(scan.end()).toBeUndefined();
    expect(scan.usage?.usage.inputTokens).toBe(4);
  });

  test("counts output for an estimate", () => {
    const scan = new NativeScan(false);
    scan.scan(chunk({ role: "assistant", content: "" }));
    scan.scan(chunk({ content: "four" }));
    scan.scan(chunk({ reasoning_content: "five5" }));
    scan.scan(chunk({ tool_calls: [{ index: 0, function: { arguments: "{}" } }] }));
    expect([scan.outputChars, scan.contentEvents]).toEqual([11, 3]);
  });

  test("agrees with JSON.parse about usage, whatever the content", () => {
    const tricky = fc.oneof(
      fc.string(),
      fc.constantFrom('"usage":null', ',"usage":null', '\\"error\\":', '"', "\\", "\\\\"),
    );
    fc.assert(
      fc.property(tricky, fc.boolean(), fc.nat(2), (content, withUsage, indent) => {
        const value = { choices: [{ index: 0, delta: { content } }], ...(withUsage && { usage: null }) };
        const { kind, forward } = new NativeScan(true).scan(JSON.stringify(value, null, indent));
        expect(kind).toBe(content === "" ? "empty" : "content");
        expect(JSON.parse(forward ?? "")).toEqual({ choices: value.choices });
      }),
    );
  });

  test("never throws on junk", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json(), fc.constant('{"choices":[],"usage":{'))), (list) => {
        const scan = new NativeScan(true);
        for (const data of list) scan.scan(data);
        scan.end();
      }),
    );
  });
});
