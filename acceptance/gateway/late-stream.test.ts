import { APIError } from "openai";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dataLines, openaiClient, postChat, say } from "../setup/clients.ts";
import { localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";

/** A streaming client waits: headers and comments go out after the grace, and other targets may still be asked. */
let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig({
    config: {
      server: { commitGraceMs: 150, keepAliveMs: 100 },
      routing: { retriesPerTarget: 0, fallback: [openaiModel], breaker: { failures: 1_000 } },
    },
    upstreams: () => ({
      vllm: { timeouts: { firstContentMs: 700 } },
      openai: { timeouts: { firstContentMs: 700 } },
    }),
  });
  url = rig.gateway.url;
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
});

const comments = (text: string): number => text.split("\n").filter((line) => line.startsWith(":")).length;

describe("a stream whose first content is late", () => {
  test("gets headers and keep-alive comments, then the whole answer of the first target", async () => {
    const startedAt = performance.now();
    const response = await postChat(url, say("[[sim:ttft=450]][[sim:tokens=5]]", { model: "local", stream: true }));
    expect(performance.now() - startedAt).toBeLessThan(440);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-router-target")).toBe(`vllm/${localModel}`);
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const text = await response.text();
    expect(comments(text)).toBeGreaterThanOrEqual(2);
    expect(dataLines(text).at(-1)).toBe("[DONE]");
    expect(dataLines(text).join("")).not.toContain('"error"');
  });

  test("may still go to another target, whose answer then stands alone", async () => {
    await rig.local.setFault({ spec: "stall=headers" });
    const final = await openaiClient(url)
      .chat.completions.stream({ model: "local", messages: [{ role: "user", content: "[[sim:text=from cloud]]" }] })
      .finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe("from cloud");
    expect(final.model).toBe(openaiModel);
    await rig.local.waitForHit({ method: "POST", aborted: true });
    const line = await rig.gateway.child.record(
      (record) => record["target"] === `openai/${openaiModel}`,
      "the decision that names the target which served in the end",
    );
    expect(line).toMatchObject({ outcome: "ok", fallback: `vllm/${localModel};first_content_timeout` });
  });

  test("gets an error event and never [DONE] when every target fails", async () => {
    await Promise.all([rig.local, rig.openai].map((simulator) => simulator.setFault({ spec: "stall=headers" })));
    const body = { model: "local", stream: true as const, messages: [{ role: "user" as const, content: "Hi" }] };
    const text = await (await postChat(url, body)).text();
    const lines = dataLines(text);
    expect(lines).not.toContain("[DONE]");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ error: { code: "upstream_timeout", type: "server_error" } });
    const read = async () => {
      for await (const _ of await openaiClient(url).chat.completions.create(body));
    };
    await expect(read()).rejects.toBeInstanceOf(APIError);
  });

  test("ends the upstream's work when the client leaves while it waits", async () => {
    const controller = new AbortController();
    const body = say("[[sim:ttft=600]]", { model: "local", stream: true });
    const response = await postChat(url, body, {}, controller.signal);
    expect(response.status).toBe(200);
    controller.abort();
    await rig.local.waitForHit({ method: "POST", aborted: true });
    expect(await rig.openai.generations()).toEqual([]);
  });
});

test("comments keep a stream alive while the model pauses between two tokens", async () => {
  const body = say("[[sim:tokens=3]][[sim:pace=300]]", { model: "claude-sonnet-4-6", stream: true });
  const text = await (await postChat(url, body)).text();
  expect(comments(text)).toBeGreaterThanOrEqual(4);
  expect(dataLines(text).at(-1)).toBe("[DONE]");
});
