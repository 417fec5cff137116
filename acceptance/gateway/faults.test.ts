import type { UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { APIError } from "openai";
import { beforeAll, describe, expect, test } from "vitest";
import { dataLines, openaiClient, postChat, say } from "../setup/clients.ts";
import { localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";

/**
 * Every case is a deployment of its own, whose model id makes the simulator misbehave: what one case does to breakers
 * and cool-downs never reaches the next.
 */
interface Case {
  readonly fault: string;
  /** What `X-Router-Fallback` may name as the cause, or undefined where the answer just passes. */
  readonly why: string | undefined;
  /** Where only one of the two modes is meant. */
  readonly only?: "stream" | "whole";
}

const beforeContent: readonly Case[] = [
  { fault: "status=500", why: "upstream_error" },
  { fault: "status=502", why: "upstream_error" },
  { fault: "status=503", why: "overloaded" },
  { fault: "status=503;retry-after=1", why: "overloaded" },
  { fault: "status=429", why: "rate_limited" },
  { fault: "status=429;retry-after=30", why: "rate_limited" },
  { fault: "status=401", why: "upstream_auth" },
  { fault: "status=403", why: "upstream_auth" },
  { fault: "status=404", why: "model_not_found" },
  // A whole answer that is relayed natively shows nothing before its end: a longer limit judges it.
  { fault: "stall=headers", why: "first_content_timeout|total_timeout" },
  { fault: "stall=first-token", why: "first_content_timeout|idle_timeout|total_timeout" },
  { fault: "stall=mid", why: "first_content_timeout|idle_timeout|total_timeout", only: "whole" },
  { fault: "error-first", why: "upstream_error|overloaded" },
  { fault: "error-mid", why: "upstream_error|overloaded", only: "whole" },
  { fault: "html", why: "bad_upstream_response" },
  { fault: "empty", why: "bad_upstream_response|stream_interrupted" },
  { fault: "malformed", why: "bad_upstream_response", only: "whole" },
  { fault: "cut=0", why: "stream_interrupted" },
  { fault: "cut=40", why: "stream_interrupted" },
  { fault: "redirect", why: "bad_upstream_response" },
  { fault: "gzip", why: undefined },
  { fault: "crlf", why: undefined },
  { fault: "comments", why: undefined },
  { fault: "one-byte", why: undefined },
  { fault: "no-done", why: undefined },
  { fault: "slow-headers=100", why: undefined },
];

/** After the first content: the client must hear of it. */
const afterContent: readonly string[] = ["cut=2500", "error-mid", "no-finish", "malformed", "stall=mid"];

const faults = [...new Set([...beforeContent.map(({ fault }) => fault), ...afterContent])];
const slug = (fault: string): string => fault.replace(/[^a-z0-9]+/g, "-");
const modes = [
  { mode: "a whole answer", stream: false },
  { mode: "a stream", stream: true },
] as const;

/** One deployment per fault and mode. */
const faulty = (base: string, prefix: string): UpstreamConfigInput["models"] =>
  faults.flatMap((fault) =>
    modes.map(({ stream }) => ({
      id: `${base}+sim-fault:${fault}${stream ? "" : ";slow-headers=0"}`,
      aliases: [`${prefix}-${slug(fault)}-${stream}`],
    })),
  );

let rig: Rig;
let url: string;

beforeAll(async () => {
  const timeouts = { firstContentMs: 400, idleMs: 500, totalMs: 2_000 };
  rig = await startRig({
    config: { routing: { retriesPerTarget: 0, fallback: [openaiModel], longContext: ["@cloud"] } },
    upstreams: () => ({
      vllm: {
        health: false,
        timeouts,
        models: [{ id: localModel, contextWindow: 32_768 }, ...(faulty(localModel, "vllm") ?? [])],
      },
      anthropic: {
        health: false,
        timeouts,
        models: [{ id: "claude-sonnet-4-6" }, ...(faulty("claude-sonnet-4-6", "anthropic") ?? [])],
      },
    }),
  });
  url = rig.gateway.url;
});

const text = "[[sim:tokens=40]]";

describe.each(["vllm", "anthropic"])("before the first content, %s", (upstream) => {
  for (const { mode, stream } of modes) {
    for (const { fault, why, only } of beforeContent) {
      if (only !== undefined && (only === "stream") !== stream) continue;
      const outcome = why === undefined ? "passes" : `falls back (${why})`;
      test(`\`${fault}\` for ${mode} ${outcome}`, async () => {
        const alias = `${upstream}-${slug(fault)}-${stream}`;
        const response = await postChat(url, say(text, { model: alias, stream }));
        const body = await response.text();
        expect(response.status, body).toBe(200);
        if (why === undefined) {
          expect(response.headers.get("x-router-fallback")).toBeNull();
          expect(response.headers.get("x-router-target")).toContain(`${upstream}/`);
        } else {
          expect(response.headers.get("x-router-fallback")).toMatch(new RegExp(`^${upstream}/.+;(?:${why})$`));
          expect(response.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
          expect(response.headers.get("x-router-backend")).toBe("cloud");
        }
        if (!stream) {
          expect(JSON.parse(body)).toMatchObject({ usage: { completion_tokens: 40 } });
          return;
        }
        const lines = dataLines(body);
        expect(lines.at(-1)).toBe("[DONE]");
        const content = lines.slice(0, -1).map((line) => {
          const chunk = JSON.parse(line) as { choices: { delta: { content?: string } }[] };
          return chunk.choices[0]?.delta.content ?? "";
        });
        expect(content.join("").length).toBeGreaterThan(100);
      });
    }
  }
});

describe.each(["vllm", "anthropic"])("after the first content, %s", (upstream) => {
  for (const fault of afterContent) {
    test(`\`${fault}\` ends the stream with an error event and never with [DONE]`, async () => {
      const alias = `${upstream}-${slug(fault)}-true`;
      const body = say("[[sim:tokens=400]]", { model: alias, stream: true });
      const response = await postChat(url, body);
      expect(response.status).toBe(200);
      expect(response.headers.get("x-router-fallback")).toBeNull();
      const lines = dataLines(await response.text());
      expect(lines).not.toContain("[DONE]");
      expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
        error: { message: expect.any(String), type: expect.any(String), code: expect.any(String) },
      });
      const stream = await openaiClient(url).chat.completions.create({
        model: alias,
        stream: true,
        messages: [{ role: "user", content: "[[sim:tokens=400]]" }],
      });
      let received = "";
      const read = async () => {
        for await (const chunk of stream) received += chunk.choices[0]?.delta.content ?? "";
      };
      await expect(read()).rejects.toBeInstanceOf(APIError);
      expect(received).not.toBe("");
    });
  }
});

describe("time limits", () => {
  test("a whole answer may take longer to make than a stream may take to its first content", async () => {
    // 60 tokens at 10 ms: longer than firstContentMs, and no upstream says anything before the end.
    const response = await postChat(url, say("[[sim:tokens=60]][[sim:pace=10]]", { model: `vllm/${localModel}` }));
    expect(response.headers.get("x-router-fallback")).toBeNull();
    expect(response.headers.get("x-router-target")).toBe(`vllm/${localModel}`);
  });

  test("a stream may take longer than its first content and its silences may", async () => {
    const body = say("[[sim:tokens=100]][[sim:pace=8]]", { model: `vllm/${localModel}`, stream: true });
    const lines = dataLines(await (await postChat(url, body)).text());
    expect(lines.at(-1)).toBe("[DONE]");
  });
});

describe("where a request may not go", () => {
  test("a redirect is not followed and takes no key elsewhere", async () => {
    const thief = await fetch(`${rig.openai.url}/__sim/hits`, { method: "DELETE" });
    expect(thief.ok).toBe(true);
    await rig.local.setFault({ spec: `redirect=${rig.openai.url}/v1/chat/completions`, times: 1 });
    const response = await postChat(url, say("Hi", { model: "local" }), { "x-router-data": "local-only" });
    expect(response.status).toBe(502);
    expect(await rig.openai.generations()).toEqual([]);
    expect(await response.text()).not.toContain(rig.openai.url);
    await rig.local.setFault(null);
  });

  test("`cloud` fails rather than going to the local model", async () => {
    const before = (await rig.local.generations()).length;
    await Promise.all([rig.anthropic, rig.openai].map((cloud) => cloud.setFault({ spec: "status=500" })));
    const response = await postChat(url, say("Hi", { model: "cloud" }));
    expect(response.status).toBe(502);
    expect((await rig.local.generations()).length).toBe(before);
    expect(response.headers.get("x-should-retry")).toBe("false");
    await Promise.all([rig.anthropic, rig.openai].map((cloud) => cloud.setFault(null)));
  });

  test("a stopped local server with many models is replaced by cloud, whose turn comes within the attempts", async () => {
    await rig.local.stop();
    for (const stream of [false, true]) {
      const response = await postChat(url, say(text, { model: "local", stream }));
      expect(response.status, await response.text()).toBe(200);
      expect(response.headers.get("x-router-fallback")).toMatch(/;unreachable$/);
      expect(response.headers.get("x-router-backend")).toBe("cloud");
    }
  });
});
