import Anthropic from "@anthropic-ai/sdk";
import type OpenAI from "openai";
import {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { openaiClient } from "../setup/clients.ts";
import { canaries, localModel, openaiModel, type Rig, startRig } from "../setup/rig.ts";
import type { SimulatorProcess } from "../setup/simulator-process.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await startRig({ config: { routing: { breaker: { failures: 1_000 }, retriesPerTarget: 0 } } });
});

beforeEach(async () => {
  await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.reset()));
});

/**
 * The same cases against a server that speaks the API itself and against the gateway before each protocol: what a
 * client sees must not depend on the way.
 */
interface Way {
  readonly name: string;
  readonly model: string;
  /** The id that must stand in the body. */
  readonly served: string;
  readonly upstream: () => SimulatorProcess;
  readonly client: () => OpenAI;
  readonly cloud: boolean;
}

const throughGateway = () => openaiClient(rig.gateway.url);

const ways: readonly Way[] = [
  {
    name: "OpenAI directly",
    model: openaiModel,
    served: openaiModel,
    upstream: () => rig.openai,
    client: () => openaiClient(rig.openai.url, { apiKey: canaries.openai }),
    cloud: true,
  },
  {
    name: "the gateway before OpenAI",
    model: openaiModel,
    served: openaiModel,
    upstream: () => rig.openai,
    client: throughGateway,
    cloud: true,
  },
  {
    name: "the gateway before vLLM",
    model: "local",
    served: localModel,
    upstream: () => rig.local,
    client: throughGateway,
    cloud: false,
  },
  {
    name: "the gateway before Anthropic",
    model: "claude-sonnet-4-6",
    served: "claude-sonnet-4-6",
    upstream: () => rig.anthropic,
    client: throughGateway,
    cloud: true,
  },
];

const user = (content: string) => ({ role: "user" as const, content });

const weather = {
  type: "function" as const,
  function: {
    name: "get_weather",
    description: "Weather of a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
  },
};

async function failure(call: Promise<unknown>): Promise<APIError> {
  const error: unknown = await call.then(
    (value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof APIError)) throw error;
  return error;
}

describe.each(ways)("the official client and $name", ({ model, served, upstream, client, cloud }) => {
  const ask = (content: string) => ({ model, messages: [user(content)] });

  test("a text comes back whole, with usage that adds up", async () => {
    const completion = await client().chat.completions.create(ask("[[sim:text=Grüße, 世界 🚀]]"));
    expect(completion.object).toBe("chat.completion");
    expect(completion.model).toBe(served);
    expect(completion.choices).toHaveLength(1);
    expect(completion.choices[0]).toMatchObject({
      index: 0,
      finish_reason: "stop",
      message: { role: "assistant", content: "Grüße, 世界 🚀" },
    });
    const usage = completion.usage;
    expect(usage?.prompt_tokens).toBeGreaterThan(0);
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0));
  });

  test("a stream gives the same text as the whole answer, and the helper's events agree with it", async () => {
    const whole = await client().chat.completions.create(ask("Tell me about harbours."));
    const stream = client().chat.completions.stream(ask("Tell me about harbours."));
    const parts: string[] = [];
    stream.on("content", (delta) => parts.push(delta));
    const final = await stream.finalChatCompletion();
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.join("")).toBe(whole.choices[0]?.message.content);
    expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(final.choices[0]?.finish_reason).toBe("stop");
    expect(final.model).toBe(served);
  });

  test("usage is streamed only to those who ask, in one last chunk without choices", async () => {
    const read = async (include_usage: boolean) => {
      const stream = await client().chat.completions.create({
        ...ask("[[sim:tokens=9]]"),
        stream: true,
        ...(include_usage ? { stream_options: { include_usage } } : {}),
      });
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of stream) chunks.push(chunk);
      return chunks;
    };
    const plain = await read(false);
    expect(plain.every((chunk) => !chunk.usage && chunk.choices.length > 0)).toBe(true);
    const counted = await read(true);
    expect(counted.filter((chunk) => chunk.usage)).toHaveLength(1);
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 9 } });
  });

  test("`max_tokens` ends an answer with `length`, streamed or not", async () => {
    const request = { ...ask("[[sim:tokens=50]]"), max_tokens: 7 };
    const whole = await client().chat.completions.create(request);
    expect(whole.choices[0]?.finish_reason).toBe("length");
    expect(whole.usage?.completion_tokens).toBe(7);
    const streamed = await client().chat.completions.stream(request).finalChatCompletion();
    expect(streamed).toMatchObject({ choices: [{ finish_reason: "length" }] });
  });

  test("`max_completion_tokens` means the same", async () => {
    const { choices } = await client().chat.completions.create({
      ...ask("[[sim:tokens=50]]"),
      max_completion_tokens: 6,
    });
    expect(choices[0]?.finish_reason).toBe("length");
  });

  test("a stop sequence ends the answer before it", async () => {
    const request = { ...ask("[[sim:text=one two three four]]"), stop: [" three"] };
    const whole = await client().chat.completions.create(request);
    expect(whole.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "one two" } });
    const streamed = await client().chat.completions.stream(request).finalContent();
    expect(streamed).toBe("one two");
  });

  test("system and developer messages, a history and a temperature are accepted", async () => {
    const { choices } = await client().chat.completions.create({
      model,
      temperature: 0.2,
      messages: [
        { role: "system", content: "Be brief." },
        user("Hello"),
        { role: "assistant", content: "Hi." },
        { role: "user", content: [{ type: "text", text: "[[sim:text=fine]]" }] },
      ],
    });
    expect(choices[0]?.message.content).toBe("fine");
  });

  test("one tool is called, streamed and not, with the same name and arguments", async () => {
    const request = { ...ask("What is the weather in Paris?"), tools: [weather] };
    const whole = await client().chat.completions.create(request);
    const streamed = await client().chat.completions.stream(request).finalChatCompletion();
    for (const { choices } of [whole, streamed]) {
      expect(choices[0]?.finish_reason).toBe("tool_calls");
      expect(choices[0]?.message.tool_calls).toHaveLength(1);
      const call = choices[0]?.message.tool_calls?.[0];
      if (call?.type !== "function") throw new Error(JSON.stringify(call));
      expect(call.id).toMatch(/\S/);
      expect(call.function.name).toBe("get_weather");
      expect(JSON.parse(call.function.arguments)).toEqual({ city: "Paris" });
    }
    expect(whole.choices[0]?.message.content).toBeNull();
  });

  test("parallel calls have ids of their own and indexes from zero in a stream", async () => {
    const stream = await client().chat.completions.create({
      ...ask("What is the weather in Paris and London?"),
      tools: [weather],
      stream: true,
    });
    const indexes = new Set<number>();
    const ids = new Set<string>();
    const texts: string[] = [];
    for await (const chunk of stream) {
      for (const call of chunk.choices[0]?.delta.tool_calls ?? []) {
        indexes.add(call.index);
        if (call.id) ids.add(call.id);
        texts[call.index] = (texts[call.index] ?? "") + (call.function?.arguments ?? "");
      }
    }
    expect([...indexes]).toEqual([0, 1]);
    expect(ids.size).toBe(2);
    expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual([{ city: "Paris" }, { city: "London" }]);
  });

  test("a forced choice calls that tool and `none` calls none", async () => {
    const forced = await client().chat.completions.create({
      ...ask("Hello"),
      tools: [weather],
      tool_choice: { type: "function", function: { name: "get_weather" } },
    });
    expect(forced.choices[0]?.message.tool_calls).toHaveLength(1);
    const none = await client().chat.completions.create({
      ...ask("What is the weather in Paris?"),
      tools: [weather],
      tool_choice: "none",
    });
    expect(none.choices[0]?.message.tool_calls ?? []).toHaveLength(0);
    expect(none.choices[0]?.message.content).toBeTruthy();
  });

  for (const stream of [false, true]) {
    test(`runTools calls the functions and gives their results back${stream ? ", streaming" : ""}`, async () => {
      const cities: string[] = [];
      const tool = {
        type: "function" as const,
        function: {
          ...weather.function,
          parse: (text: string) => JSON.parse(text) as { city: string },
          function: ({ city }: { city: string }) => {
            cities.push(city);
            return `18 degrees in ${city}`;
          },
        },
      };
      const request = { ...ask("What is the weather in Paris and London?"), tools: [tool] };
      const { completions } = client().chat;
      const runner = stream ? completions.runTools({ ...request, stream: true }) : completions.runTools(request);
      const final = await runner.finalContent();
      expect(cities).toEqual(["Paris", "London"]);
      expect(final).toContain("18 degrees in Paris");
      expect(final).toContain("18 degrees in London");
    });
  }

  test("a structured output parses, streamed and not", async () => {
    const Review = z.object({
      label: z.enum(["POSITIVE", "NEGATIVE"]),
      score: z.number(),
      tags: z.array(z.string()),
      nested: z.object({ ok: z.boolean() }),
    });
    const request = { ...ask("Rate this."), response_format: zodResponseFormat(Review, "review") };
    const whole = await client().chat.completions.parse(request);
    expect(Review.parse(whole.choices[0]?.message.parsed)).toEqual(whole.choices[0]?.message.parsed);
    const streamed = await client().chat.completions.stream(request).finalChatCompletion();
    expect(Review.safeParse(streamed.choices[0]?.message.parsed).success).toBe(true);
    expect(streamed.choices[0]?.finish_reason).toBe("stop");
  });

  // Engines answer a refusal as plain text.
  const refusal = async () => {
    const whole = await client().chat.completions.create(ask("[[sim:refusal]]"));
    expect(whole.choices[0]?.message.refusal).toBeTruthy();
    const streamed = await client().chat.completions.stream(ask("[[sim:refusal]]")).finalChatCompletion();
    expect(streamed.choices[0]?.message.refusal).toBeTruthy();
  };
  if (cloud) test("a refusal is told as one, streamed and not", refusal);

  test("leaving a stream midway ends the upstream's work", async () => {
    const stream = client().chat.completions.stream(ask("[[sim:tokens=5000]][[sim:pace=5]]"));
    const left = expect(stream.done()).rejects.toThrow("aborted");
    await new Promise((resolve) => stream.once("content", resolve));
    stream.abort();
    await left;
    const hit = await upstream().waitForHit({ aborted: true, method: "POST" });
    expect(hit.tokensProduced).toBeLessThan(5_000);
  });

  test("leaving a stream before its first content ends the upstream's work", async () => {
    const controller = new AbortController();
    const call = client().chat.completions.create(
      { ...ask("[[sim:ttft=60000]]"), stream: true },
      { signal: controller.signal },
    );
    await upstream().waitForHit({ method: "POST" });
    controller.abort();
    await expect(call).rejects.toThrow();
    expect((await upstream().waitForHit({ aborted: true, method: "POST" })).tokensProduced).toBe(0);
  });

  test("leaving while a whole answer is awaited ends the upstream's work", async () => {
    const controller = new AbortController();
    const call = client().chat.completions.create(ask("[[sim:ttft=60000]]"), { signal: controller.signal });
    await upstream().waitForHit({ method: "POST" });
    controller.abort();
    await expect(call).rejects.toThrow();
    await upstream().waitForHit({ aborted: true, method: "POST" });
  });

  test("a body that is wrong is a BadRequestError that names the field", async () => {
    const error = await failure(
      client().chat.completions.create({ model, messages: [{ role: "tool", content: "x" } as never] }),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error.status).toBe(400);
    expect(error.param).toMatch(/^messages/);
  });

  test("a temperature out of range is a BadRequestError", async () => {
    const error = await failure(client().chat.completions.create({ ...ask("Hi"), temperature: 9 }));
    expect(error).toBeInstanceOf(BadRequestError);
  });
});

describe("extensions and repeats", () => {
  test("reasoning reaches the client as its own field, from Anthropic, streamed and not", async () => {
    const request = {
      model: "claude-sonnet-4-6",
      reasoning_effort: "high" as const,
      messages: [user("[[sim:reasoning=20]] Think.")],
    };
    const whole = await throughGateway().chat.completions.create(request);
    const message = whole.choices[0]?.message as { reasoning_content?: string; content: string } | undefined;
    expect(message?.reasoning_content).toBeTruthy();
    expect(whole.usage?.completion_tokens_details?.reasoning_tokens).toBeGreaterThan(0);
    const stream = await throughGateway().chat.completions.create({ ...request, stream: true });
    let reasoning = "";
    let sawContent = false;
    for await (const chunk of stream) {
      const delta = chunk.choices[0]?.delta as { reasoning_content?: string; content?: string } | undefined;
      if (delta?.reasoning_content) {
        expect(sawContent).toBe(false);
        reasoning += delta.reasoning_content;
      }
      if (delta?.content) sawContent = true;
    }
    expect(reasoning).toBe(message?.reasoning_content);
  });

  test("a local model's reasoning passes as the engine spelled it", async () => {
    const { choices } = await throughGateway().chat.completions.create({
      model: "local",
      messages: [user("[[sim:reasoning=20]] Think.")],
    });
    expect(choices[0]?.message).toHaveProperty("reasoning");
  });

  test("n=2 gives two choices where the target can, streamed and not", async () => {
    for (const model of [openaiModel, "local"]) {
      const request = { model, n: 2, messages: [user("[[sim:tokens=5]]")] };
      const whole = await throughGateway().chat.completions.create(request);
      expect(whole.choices.map((choice) => choice.index)).toEqual([0, 1]);
      const streamed = await throughGateway().chat.completions.stream(request).finalChatCompletion();
      expect(streamed.choices.map((choice) => choice.index)).toEqual([0, 1]);
    }
  });

  test("n=2 at a model that cannot goes to one that can, and is never answered with fewer", async () => {
    const { data, response } = await throughGateway()
      .chat.completions.create({ model: "claude-sonnet-4-6", n: 2, messages: [user("[[sim:tokens=5]]")] })
      .withResponse();
    expect(data.choices).toHaveLength(2);
    expect(response.headers.get("x-router-reason")).toBe("capability");
    expect(response.headers.get("x-router-target")).toBe(`openai/${openaiModel}`);
    expect(response.headers.get("x-router-fallback")).toBe("anthropic/claude-sonnet-4-6;capability");
  });

  test("unknown fields survive between equal formats", async () => {
    const body = { model: "local", messages: [user("Hi")], my_extension: { deep: [1, { a: null }] } };
    await throughGateway().chat.completions.create(body);
    const [hit] = await rig.local.generations();
    expect(hit?.body).toMatchObject({ my_extension: { deep: [1, { a: null }] } });
  });

  test("what Anthropic cannot express is named in X-Router-Dropped", async () => {
    const { response } = await throughGateway()
      .chat.completions.create({ model: "claude-sonnet-4-6", seed: 7, messages: [user("Hi")] })
      .withResponse();
    expect(response.headers.get("x-router-dropped")?.split(",")).toContain("seed");
  });

  test("the client tries an exhausted failure only once, for the gateway says so", async () => {
    const fault = { spec: "status=500" };
    await Promise.all([rig.anthropic.setFault(fault), rig.openai.setFault(fault)]);
    const error = await failure(
      openaiClient(rig.gateway.url, { maxRetries: 2 }).chat.completions.create({
        model: "claude-opus-4-8",
        messages: [user("Hi")],
      }),
    );
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error.status).toBe(502);
    expect(error.headers?.get("x-should-retry")).toBe("false");
    const hits = [...(await rig.anthropic.generations()), ...(await rig.openai.generations())];
    expect(hits.map((hit) => hit.model)).toEqual(["claude-opus-4-8", "claude-haiku-4-5-20251001", openaiModel]);
  });

  test("a retry after a short wait is offered when every target is rate limited", async () => {
    const fault = { spec: "status=429;retry-after=3" };
    await Promise.all([rig.anthropic.setFault(fault), rig.openai.setFault(fault)]);
    const error = await failure(
      throughGateway().chat.completions.create({ model: "claude-haiku-4-5-20251001", messages: [user("Hi")] }),
    );
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error.code).toBe("rate_limit_exceeded");
    expect(error.headers?.get("x-should-retry")).toBe("true");
    expect(Number(error.headers?.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(Number(error.headers?.get("retry-after"))).toBeLessThanOrEqual(4);
  });
});

describe("error classes", () => {
  test("an unknown name is a NotFoundError with near names where unknown names are refused", async () => {
    const strict = await startRig({ config: { routing: { unknownModel: "reject" }, auth: { key: "the-shared-key" } } });
    const error = await failure(
      openaiClient(strict.gateway.url, { apiKey: "the-shared-key" }).chat.completions.create({
        model: "claude-sonet-4-6",
        messages: [user("Hi")],
      }),
    );
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
    expect(error.message).toContain("claude-sonnet-4-6");
    const refused = await failure(
      openaiClient(strict.gateway.url, { apiKey: "wrong" }).chat.completions.create({
        model: "local",
        messages: [user("Hi")],
      }),
    );
    expect(refused).toBeInstanceOf(AuthenticationError);
    expect(refused).toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  test("a prompt larger than every window is a 400 with OpenAI's code for it", async () => {
    const huge = "word ".repeat(1_000_000);
    const error = await failure(
      throughGateway().chat.completions.create({ model: openaiModel, messages: [user(huge)] }),
    );
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: "context_length_exceeded", param: "messages" });
  });

  test("Anthropic's simulator is the same to its own official client", async () => {
    const direct = new Anthropic({ baseURL: rig.anthropic.url, apiKey: canaries.anthropic, maxRetries: 0 });
    const message = await direct.messages.create({
      model: "claude-sonnet-4-6",
      max_tokens: 100,
      messages: [user("[[sim:text=same words]]")],
    });
    const routed = await throughGateway().chat.completions.create({
      model: "claude-sonnet-4-6",
      max_tokens: 100,
      messages: [user("[[sim:text=same words]]")],
    });
    expect(message.content).toEqual([expect.objectContaining({ type: "text", text: "same words" })]);
    expect(routed.choices[0]?.message.content).toBe("same words");
    expect(routed.usage).toMatchObject({
      prompt_tokens: message.usage.input_tokens,
      completion_tokens: message.usage.output_tokens,
    });
  });
});
