import type OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { dataLines, openaiClient, postChat, readError, say } from "../setup/clients.ts";
import { type Rig, startRig } from "../setup/rig.ts";

/**
 * What any running gateway must do, whoever runs it: `ROUTER_URL` names it, `ROUTER_API_KEY` its key if it has one. The
 * gateway needs one local and one cloud target. Without `ROUTER_URL` a gateway with simulated upstreams is started.
 */
const external = process.env["ROUTER_URL"]?.replace(/\/+$/, "");
const apiKey = process.env["ROUTER_API_KEY"] ?? "any-key";
const bearer = { authorization: `Bearer ${apiKey}` };

let url = external ?? "";
let rig: Rig | undefined;
let client: OpenAI;

beforeAll(async () => {
  if (external === undefined) {
    rig = await startRig();
    url = rig.gateway.url;
  }
  client = openaiClient(url, { apiKey });
});

const short = [{ role: "user" as const, content: "Classify the sentiment: Great product!" }];
const long = "The committee reviewed the proposal and noted several open points. ".repeat(100);

type Backend = "local" | "cloud";

function expectRouted(headers: Headers, backend: Backend, alias: string): void {
  expect(headers.get("x-router-backend")?.toLowerCase()).toBe(backend);
  expect(headers.get("x-router-target")).toMatch(/^[^/]+\/.+$/);
  expect(headers.get("x-router-alias")).toBe(alias);
  expect(headers.get("x-router-reason")).toMatch(/^[a-z_]+$/);
  expect(headers.get("x-router-decision-id")).toMatch(/^\S{8,}$/);
  expect(Number(headers.get("x-router-overhead-ms"))).toBeGreaterThanOrEqual(0);
}

/** The model's own id, from `<upstream>/<model>`. */
function servedModel(headers: Headers): string {
  const target = headers.get("x-router-target") ?? "";
  return target.slice(target.indexOf("/") + 1);
}

async function create(model: string, content = "Say hello.", max_tokens = 20) {
  return client.chat.completions.create({ model, max_tokens, messages: [{ role: "user", content }] }).withResponse();
}

describe("health", () => {
  test("the process says that it lives and that it is ready", async () => {
    const alive = await fetch(`${url}/health`);
    expect(alive.status).toBe(200);
    expect(await alive.json()).toEqual({ status: "ok" });
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });

  test("the upstreams are listed with the counts of both placements", async () => {
    const body = (await (await fetch(`${url}/health/upstreams`)).json()) as Record<string, unknown>;
    expect(body).toMatchObject({
      status: expect.stringMatching(/^(healthy|degraded|unhealthy)$/),
      healthy_clusters: expect.any(Number),
      total_clusters: expect.any(Number),
      healthy_providers: expect.any(Number),
      total_providers: expect.any(Number),
      upstreams: expect.any(Array),
    });
    expect(Date.parse(String(body["timestamp"]))).not.toBeNaN();
  });

  test("the official client lists the models, `auto`, `local` and `cloud` among them", async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(expect.arrayContaining(["auto", "local", "cloud"]));
  });
});

describe("placement", () => {
  test("`local` is served locally and the body names the served model", async () => {
    const { data, response } = await create("local");
    expectRouted(response.headers, "local", "local");
    expect(data.choices[0]?.message.content).toBeTruthy();
    expect(data.model).toBe(servedModel(response.headers));
    expect(data.usage?.total_tokens).toBeGreaterThan(0);
  });

  test("`local` stays local however long the prompt is, while it fits the window", async () => {
    const { response } = await create("local", long);
    expectRouted(response.headers, "local", "local");
  });

  test("`cloud` is served by cloud and the body names the served model", async () => {
    const { data, response } = await create("cloud");
    expectRouted(response.headers, "cloud", "cloud");
    expect(data.choices[0]?.message.content).toBeTruthy();
    expect(data.model).toBe(servedModel(response.headers));
  });

  test("a Claude model by name is served by exactly that model", async () => {
    const { data, response } = await create("claude-sonnet-4-6");
    expectRouted(response.headers, "cloud", "claude-sonnet-4-6");
    expect(data.model).toBe("claude-sonnet-4-6");
    expect(response.headers.get("x-router-fallback")).toBeNull();
  });

  test("`auto` sends a short prompt to the local model", async () => {
    const { data, response } = await client.chat.completions
      .create({ model: "auto", max_tokens: 10, messages: short })
      .withResponse();
    expectRouted(response.headers, "local", "auto");
    expect(data.choices).toHaveLength(1);
  });

  test("`auto` sends more than 6,000 characters to cloud", async () => {
    expect(long.length).toBeGreaterThan(6_000);
    const { response } = await create("auto", long, 150);
    expectRouted(response.headers, "cloud", "auto");
    expect(response.headers.get("x-router-reason")).toBe("prompt_too_long");
  });

  test("`auto` sends a request for a long output to cloud", async () => {
    const { response } = await create("auto", "Write a short story.", 2_000);
    expectRouted(response.headers, "cloud", "auto");
    expect(response.headers.get("x-router-reason")).toBe("output_too_long");
  });

  test("a request without a model is routed as `auto`", async () => {
    const response = await postChat(url, { messages: short, max_tokens: 5 }, bearer);
    expect(response.status).toBe(200);
    expectRouted(response.headers, "local", "auto");
  });
});

describe("streams", () => {
  for (const backend of ["local", "cloud"] as const) {
    test(`the ${backend} answer streams as OpenAI's server-sent events`, async () => {
      const body = say("Count to five.", { model: backend, stream: true, max_tokens: 30 });
      const response = await postChat(url, body, bearer);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      expectRouted(response.headers, backend, backend);
      const lines = dataLines(await response.text());
      expect(lines.at(-1)).toBe("[DONE]");
      const chunks = lines.slice(0, -1).map((line) => JSON.parse(line) as OpenAI.ChatCompletionChunk);
      expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
      expect(new Set(chunks.map((chunk) => chunk.object))).toEqual(new Set(["chat.completion.chunk"]));
      expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set([servedModel(response.headers)]));
      expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason)).toHaveLength(1);
      expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).not.toBe("");
    });

    test(`the official client reads the ${backend} stream to its end`, async () => {
      const stream = client.chat.completions.stream({
        model: backend,
        max_tokens: 30,
        messages: short,
        stream_options: { include_usage: true },
      });
      const final = await stream.finalChatCompletion();
      expect(final.choices[0]?.message.content).toBeTruthy();
      expect(final.usage?.completion_tokens).toBeGreaterThan(0);
    });
  }
});

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "Weather of a city.",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

const required = { tools: [weather], tool_choice: "required" as const };

describe.each(["local", "cloud"] as const)("features on %s", (model) => {
  test("a tool is called with arguments that are JSON, and its result is answered", async () => {
    const ask = { role: "user" as const, content: "What is the weather in Paris? Use the tool get_weather." };
    const first = await client.chat.completions.create({ model, messages: [ask], max_tokens: 300, ...required });
    const message = first.choices[0]?.message;
    expect(first.choices[0]?.finish_reason).toMatch(/^(tool_calls|stop)$/);
    const call = message?.tool_calls?.[0];
    if (message === undefined || call?.type !== "function") throw new Error(JSON.stringify(first));
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toHaveProperty("city");
    const second = await client.chat.completions.create({
      model,
      max_tokens: 300,
      tools: [weather],
      messages: [ask, message, { role: "tool", tool_call_id: call.id, content: "18 degrees, dry" }],
    });
    expect(second.choices[0]?.message.content).toBeTruthy();
  });

  test("a JSON schema comes back as an object of that shape", async () => {
    const Review = z.object({ label: z.enum(["POSITIVE", "NEGATIVE", "NEUTRAL"]), stars: z.number() });
    const completion = await client.chat.completions.parse({
      model,
      max_tokens: 300,
      messages: short,
      response_format: zodResponseFormat(Review, "review"),
    });
    expect(Review.safeParse(completion.choices[0]?.message.parsed).success).toBe(true);
  });

  test("a stream can be left and the gateway goes on", async () => {
    const controller = new AbortController();
    const stream = await client.chat.completions.create(
      { model, stream: true, max_tokens: 500, messages: [{ role: "user", content: "Write a long story." }] },
      { signal: controller.signal },
    );
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) break;
    }
    controller.abort();
    expect((await create(model)).response.status).toBe(200);
  });
});

test("two tools may be called in one answer, each with an id of its own", async () => {
  const completion = await client.chat.completions.create({
    model: "cloud",
    max_tokens: 300,
    messages: [{ role: "user", content: "Call get_weather for both: what is the weather in Paris and London?" }],
    ...required,
  });
  const calls = completion.choices[0]?.message.tool_calls ?? [];
  expect(new Set(calls.map((call) => call.id)).size).toBe(calls.length);
  expect(calls.length).toBeGreaterThanOrEqual(external === undefined ? 2 : 1);
});

test("an image as a data URL reaches a model that can see", async () => {
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const { response } = await client.chat.completions
    .create({
      model: "cloud",
      max_tokens: 50,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "What is in this image?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } },
          ],
        },
      ],
    })
    .withResponse();
  expectRouted(response.headers, "cloud", "cloud");
});

test("a bad request is a 400 in OpenAI's shape with the id of the decision and no more routing headers", async () => {
  const response = await postChat(url, { model: "local" }, bearer);
  expect(response.status).toBe(400);
  expect(response.headers.get("x-router-decision-id")).toBeTruthy();
  expect(response.headers.get("x-router-backend")).toBeNull();
  expect(await readError(response)).toMatchObject({ type: "invalid_request_error", param: "messages" });
});

test.skipIf(external !== undefined && process.env["TEST_COLD_START"] !== "1")(
  "a request for a cold local model is served by cloud and never refused",
  async () => {
    // Outside, the operator has scaled the local model to zero before setting TEST_COLD_START=1.
    if (rig !== undefined) {
      await rig.local.setState({ coldMs: 60_000 });
      // The first request may find out itself.
      await create("local");
    }
    const { data, response } = await create("local");
    expectRouted(response.headers, "cloud", "local");
    expect(response.headers.get("x-router-reason")).toBe("local_cold");
    expect(response.headers.get("x-router-fallback")).toMatch(/^[^;]+;local_cold$/);
    expect(data.choices[0]?.message.content).toBeTruthy();
  },
);
