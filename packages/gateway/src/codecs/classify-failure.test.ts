import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { expectSubset, readVectors } from "../../test/vector.ts";
import { GatewayError } from "../core/errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { anthropicErrorStatus, encodeAnthropicError } from "./anthropic-messages/encode-error.ts";
import { classifyErrorObject, classifyFailure, classifyUnreachable } from "./classify-failure.ts";
import { detectSilentOverflow } from "./context-overflow.ts";
import { encodeOpenAiError } from "./openai-chat/encode-error.ts";
import { parseDuration } from "./retry-after.ts";
import { safeUpstreamText } from "./upstream-text.ts";

interface Given {
  readonly provider: string;
  readonly status: number | null;
  readonly body: JsonObject;
  readonly headers?: Record<string, string>;
}
interface Rendered {
  readonly status: number;
  readonly error: JsonObject;
}
interface Expected {
  readonly class: string;
  readonly retry_same_target: boolean;
  readonly retry_other_target: boolean;
  readonly escalate_context: boolean;
  readonly tokens?: number;
  readonly limit?: number;
  readonly given_limit?: number;
  readonly retry_after_ms?: number;
  readonly capability?: string;
  readonly retry_with?: JsonObject;
  readonly openai?: Rendered;
  readonly anthropic?: Rendered;
}

const codes: Record<string, string> = { timeout: "upstream_timeout", loading: "model_loading" };

function classifyVector(given: Given, wanted: Expected): GatewayError | undefined {
  if (given.status === null) return classifyUnreachable(new Error("connect"));
  if (given.status === 200 && wanted.given_limit !== undefined) {
    const usage = given.body["usage"] as Record<string, number>;
    return detectSilentOverflow({
      finishReason: "length",
      inputTokens: usage["prompt_tokens"] ?? 0,
      outputTokens: usage["completion_tokens"] ?? 0,
      contextWindow: wanted.given_limit,
    });
  }
  return classifyFailure({
    status: given.status,
    headers: new Headers(given.headers),
    body: JSON.stringify(given.body),
    provider: given.provider,
  });
}

function retryWith(error: GatewayError): JsonObject | undefined {
  const repair = error.detail.repair;
  switch (repair?.type) {
    case "max-tokens":
      return { max_tokens: repair.maxTokens };
    case "drop-param":
      return { drop: [repair.param] };
    case "strip-thinking":
      return { strip_thinking: true };
    case "use-endpoint":
      return { endpoint: repair.endpoint };
    default:
      return undefined;
  }
}

describe("vectors: errors", async () => {
  for (const vector of [
    ...(await readVectors<Given, Expected>("errors")),
    ...(await readVectors<Given, Expected>("errors-more")),
  ]) {
    test(`${vector.id} ${vector.title}`, () => {
      const wanted = vector.expect;
      const error = classifyVector(vector.given, wanted);
      if (error === undefined) throw new Error("not recognised");
      expect<string>(error.code).toBe(codes[wanted.class] ?? wanted.class);
      const repairable = error.code !== "capability_rejected" || error.detail.repair !== undefined;
      const retrySame = error.code === "capability_rejected" ? repairable : error.row.retrySame !== "no";
      expect(retrySame).toBe(wanted.retry_same_target);
      expect(error.row.retryOther === "yes").toBe(wanted.retry_other_target);
      expect(error.row.retryOther === "larger-window").toBe(wanted.escalate_context);
      if (wanted.tokens !== undefined) expect(error.detail.tokens).toBe(wanted.tokens);
      if (wanted.limit !== undefined) expect(error.detail.limit).toBe(wanted.limit);
      if (wanted.retry_after_ms !== undefined) expect(error.detail.retryAfterMs).toBe(wanted.retry_after_ms);
      if (wanted.capability !== undefined) expect(error.detail.capability).toBe(wanted.capability);
      expect(retryWith(error)).toEqual(wanted.retry_with);
      if (wanted.openai) expectSubset({ status: error.status, ...encodeOpenAiError(error) }, wanted.openai);
      if (wanted.anthropic) {
        const body = encodeAnthropicError(error, "x");
        expectSubset({ status: anthropicErrorStatus(error), ...body }, wanted.anthropic);
      }
    });
  }
});

const classifyText = (status: number, body: string) =>
  classifyFailure({ status, headers: new Headers(), body, provider: "openai" });

describe("classifyFailure", () => {
  test("takes HTML and empty bodies", () => {
    const html = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>secret</body></html>";
    expect(classifyText(502, html)).toMatchObject({
      code: "upstream_error",
      message: "The upstream failed to answer (status 502): 502 Bad Gateway",
    });
    expect(classifyText(500, "")).toMatchObject({ code: "upstream_error" });
    expect(classifyText(400, "")).toMatchObject({ code: "bad_request" });
    expect(classifyText(413, "<html>")).toMatchObject({ code: "payload_too_large" });
  });

  test("never shows a key, in whatever message", () => {
    const body = JSON.stringify({
      error: { message: "Incorrect API key provided: sk-proj-abcdef1234567890abcd at 10.0.0.3:8000. Bearer abc" },
    });
    for (const status of [400, 401, 404, 429, 500]) {
      const { message } = classifyText(status, body);
      expect(message).not.toMatch(/abcd|10\.0\.0\.3|Bearer abc/);
    }
  });

  test("bounds the upstream's words", () => {
    expect(classifyText(400, JSON.stringify({ error: { message: "word ".repeat(5000) } })).message.length).toBe(500);
    expect(safeUpstreamText("x".repeat(10_000)).length).toBeLessThan(501);
  });

  test("classifies error objects inside a stream", () => {
    const overloaded = classifyErrorObject({ type: "overloaded_error", message: "Overloaded" });
    expect([overloaded.code, overloaded.detail.upstreamStatus]).toEqual(["overloaded", 529]);
    expect(classifyErrorObject({ message: "boom", type: "x", code: 500 }).code).toBe("upstream_error");
    expect(classifyErrorObject({ message: "m", code: "context_length_exceeded" }).code).toBe("context_length_exceeded");
    expect(classifyErrorObject("EngineCore died").code).toBe("upstream_error");
    expect(classifyErrorObject(null).code).toBe("upstream_error");
  });

  test("measures a date against the response's own clock", () => {
    const headers = new Headers({
      date: "Fri, 20 Nov 2026 12:00:00 GMT",
      "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT",
    });
    const error = classifyFailure({ status: 429, headers, body: "", provider: "openai" });
    expect(error.detail.retryAfterMs).toBe(30_000);
  });

  test("reads durations", () => {
    const texts = ["1s", "6m0s", "20ms", "1h2m3s", "1m30s", "1.5s", "1m20ms", "", "soon"];
    expect(texts.map(parseDuration)).toEqual([
      1000,
      360_000,
      20,
      3_723_000,
      90_000,
      1500,
      60_020,
      undefined,
      undefined,
    ]);
  });

  test("never throws on any body", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 599 }), fc.oneof(fc.string(), fc.json()), (status, body) => {
        expect(classifyText(status, body)).toBeInstanceOf(GatewayError);
        expect(classifyErrorObject(body)).toBeInstanceOf(GatewayError);
      }),
    );
  });
});
