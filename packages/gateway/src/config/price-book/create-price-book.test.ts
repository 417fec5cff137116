import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pricingSchema } from "@fairlead/contract/governance-schema";
import { calcPrice, findProvider } from "@pydantic/genai-prices";
import { upstream } from "../../../test/fixtures/deployments.ts";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import { emptyReplyState } from "../../codecs/codec.ts";
import { NativeScan } from "../../codecs/openai-chat/native-scan.ts";
import { protocols } from "../../codecs/registry.ts";
import type { Upstream } from "../../core/deployment.ts";
import { costOf } from "../../core/price.ts";
import type { ReportedUsage } from "../../core/usage.ts";
import { noUsage } from "../../core/usage.ts";
import type { PriceBook } from "../../ledger/price-book.ts";
import { SelfHostedMeter } from "../../ledger/self-hosted-meter.ts";
import { presets } from "../../upstreams/presets.ts";
import { createPriceBook } from "./create-price-book.ts";

const hour = 3_600_000;
const at = Date.parse("2026-11-01T12:00:00Z");

interface Given {
  readonly pricing?: Parameters<typeof pricingSchema.parse>[0];
  readonly upstreams?: readonly Upstream[];
  readonly meter?: SelfHostedMeter;
  readonly clock?: FakeClock;
}

function bookOf({ pricing = {}, upstreams = [], meter = new SelfHostedMeter([]), clock = new FakeClock() }: Given) {
  return createPriceBook({ pricing: pricingSchema.parse(pricing), upstreams, meter, clock });
}

/** What a model costs at its provider, which also names the upstream. */
function priceAt(book: PriceBook, provider: string, model: string, when = at) {
  return book.priceOf({ upstream: provider, provider, model }, when);
}

let book: PriceBook;
beforeAll(async () => {
  book = await bookOf({});
});

/** The bill in nano-dollars; a millionth of a dollar is 1,000. */
function bill(provider: string, model: string, reported: ReportedUsage | undefined, when = at): number | undefined {
  const price = priceAt(book, provider, model, when);
  return price && reported && costOf(reported.usage, price);
}

function openAiAnswer(model: string, usage: unknown): ReportedUsage | undefined {
  const message = { role: "assistant", content: "Hello! How can I help you today?", refusal: null, annotations: [] };
  const answer = {
    id: "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    object: "chat.completion",
    created: 1_741_569_952,
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: "stop" }],
    usage,
    service_tier: "default",
  };
  return protocols["openai-chat"].decodeResponse(answer, emptyReplyState).usage;
}

function anthropicAnswer(model: string, usage: unknown): ReportedUsage | undefined {
  const answer = {
    id: "msg_013Zva2CMHLNnXjNJJKqJ2EF",
    type: "message",
    role: "assistant",
    model,
    content: [{ type: "text", text: "Hi! My name is Claude." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage,
  };
  return protocols["anthropic-messages"].decodeResponse(answer, emptyReplyState).usage;
}

describe("the bill of a whole answer", () => {
  test("of chat completions, plain", () => {
    const usage = openAiAnswer("gpt-4o-2024-08-06", {
      prompt_tokens: 19,
      completion_tokens: 10,
      total_tokens: 29,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 0,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    });
    // 19 × 2.50 + 10 × 10 = 147.5 millionths of a dollar.
    expect(bill("openai", "gpt-4o-2024-08-06", usage)).toBe(147_500);
  });

  test("with a part of the prompt from the cache", () => {
    const usage = openAiAnswer("gpt-4o-2024-08-06", {
      prompt_tokens: 2_006,
      completion_tokens: 300,
      total_tokens: 2_306,
      prompt_tokens_details: { cached_tokens: 1_920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0 },
    });
    // 86 × 2.50 + 1,920 × 1.25 + 300 × 10 = 5,615.
    expect(bill("openai", "gpt-4o-2024-08-06", usage)).toBe(5_615_000);
  });

  test("with reasoning inside the output, or apart from it", () => {
    const usage = openAiAnswer("gpt-5", {
      prompt_tokens: 75,
      completion_tokens: 1_186,
      total_tokens: 1_261,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 1_024 },
    });
    // 75 × 1.25 + 1,186 × 10 = 11,953.75.
    expect(bill("openai", "gpt-5", usage)).toBe(11_953_750);
    const apart = openAiAnswer("grok-4", {
      prompt_tokens: 100,
      completion_tokens: 20,
      total_tokens: 200,
      completion_tokens_details: { reasoning_tokens: 80 },
    });
    // 100 × 3 + (20 + 80) × 15 = 1,800.
    expect(bill("xai", "grok-4", apart)).toBe(1_800_000);
  });

  test("with audio both ways", () => {
    const usage = openAiAnswer("gpt-audio", {
      prompt_tokens: 130,
      completion_tokens: 80,
      total_tokens: 210,
      prompt_tokens_details: { text_tokens: 20, audio_tokens: 110, cached_tokens: 0 },
      completion_tokens_details: { text_tokens: 20, audio_tokens: 60, reasoning_tokens: 0 },
    });
    // 20 × 2.50 + 110 × 32 + 20 × 10 + 60 × 64 = 7,610.
    expect(bill("openai", "gpt-audio", usage)).toBe(7_610_000);
    // 20 × 2.50 + 110 × 40 + 20 × 10 + 60 × 80 = 9,450, at audio rates the library does not have.
    expect(bill("openai", "gpt-4o-audio-preview-2024-12-17", usage)).toBe(9_450_000);
  });

  test("with cached tokens in a dialect of its own, at a price that depends on the time of day", () => {
    const usage = openAiAnswer("deepseek-chat", {
      prompt_tokens: 1_000,
      completion_tokens: 100,
      total_tokens: 1_100,
      prompt_cache_hit_tokens: 640,
      prompt_cache_miss_tokens: 360,
    });
    // 360 × 0.27 + 640 × 0.07 + 100 × 1.10 = 252; from 16:30 UTC 360 × 0.135 + 640 × 0.035 + 100 × 0.55 = 126.
    expect(bill("deepseek", "deepseek-chat", usage, Date.parse("2026-11-01T16:29:59Z"))).toBe(252_000);
    expect(bill("deepseek", "deepseek-chat", usage, Date.parse("2026-11-01T16:30:00Z"))).toBe(126_000);
  });

  test("with a fee for the request", () => {
    const usage = openAiAnswer("sonar", { prompt_tokens: 10, completion_tokens: 90, total_tokens: 100 });
    // 12 $ for a thousand requests, and 100 × 1.
    expect(bill("perplexity", "sonar", usage)).toBe(12_000_000 + 100_000);
  });

  test("of long prompts to Gemini, in both tiers", () => {
    const usage = (prompt: number) =>
      openAiAnswer("gemini-2.5-pro", {
        prompt_tokens: prompt,
        completion_tokens: 1_000,
        total_tokens: prompt + 1_000,
        prompt_tokens_details: { cached_tokens: 100_000 },
      });
    // 100,000 × 1.25 + 100,000 × 0.125 + 1,000 × 10 = 147,500.
    expect(bill("gemini", "gemini-2.5-pro", usage(200_000))).toBe(147_500_000);
    // 100,001 × 2.50 + 100,000 × 0.25 + 1,000 × 15 = 290,002.5.
    expect(bill("gemini", "models/gemini-2.5-pro", usage(200_001))).toBe(290_002_500);
  });

  test("of Messages, with a cache read and both kinds of cache write", () => {
    const usage = anthropicAnswer("claude-sonnet-4-6", {
      input_tokens: 50,
      cache_creation_input_tokens: 456,
      cache_read_input_tokens: 1_000,
      cache_creation: { ephemeral_5m_input_tokens: 356, ephemeral_1h_input_tokens: 100 },
      output_tokens: 503,
      output_tokens_details: { thinking_tokens: 200 },
      service_tier: "standard",
    });
    // 50 × 3 + 1,000 × 0.30 + 356 × 3.75 + 100 × 6 + 503 × 15 = 9,930; thinking is a part of the output.
    expect(bill("anthropic", "claude-sonnet-4-6", usage)).toBe(9_930_000);
    // 50 × 1 + 1,000 × 0.10 + 356 × 1.25 + 100 × 2 + 503 × 5 = 3,310.
    expect(bill("anthropic", "claude-haiku-4-5-20251001", usage)).toBe(3_310_000);
  });

  test("of Messages before and after the day a price changed", () => {
    const usage = anthropicAnswer("claude-sonnet-4-6", {
      input_tokens: 50_000,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 200_000,
      output_tokens: 1_000,
    });
    // Above 200,000: 50,000 × 6 + 200,000 × 0.60 + 1,000 × 22.50 = 442,500.
    expect(bill("anthropic", "claude-sonnet-4-6", usage, Date.parse("2026-03-12T23:59:59Z"))).toBe(442_500_000);
    // From that day on one tier: 50,000 × 3 + 200,000 × 0.30 + 1,000 × 15 = 225,000.
    expect(bill("anthropic", "claude-sonnet-4-6", usage, Date.parse("2026-03-13T00:00:00Z"))).toBe(225_000_000);
  });
});

describe("the bill of a stream", () => {
  const chunks = [
    { id: "chatcmpl-1", choices: [{ index: 0, delta: { role: "assistant", content: "Hi" }, finish_reason: null }] },
    { id: "chatcmpl-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    {
      id: "chatcmpl-1",
      choices: [],
      usage: {
        prompt_tokens: 2_006,
        completion_tokens: 300,
        total_tokens: 2_306,
        prompt_tokens_details: { cached_tokens: 1_920 },
      },
    },
  ].map((chunk) => ({ event: undefined, data: JSON.stringify({ object: "chat.completion.chunk", ...chunk }) }));

  test("of chat completions is the same, relayed natively or translated", () => {
    const scan = new NativeScan(true);
    for (const { data } of chunks) scan.scan(data);
    const decoder = protocols["openai-chat"].streamDecoder(emptyReplyState);
    const events = [...chunks, { event: undefined, data: "[DONE]" }].flatMap((chunk) => [...decoder.push(chunk)]);
    // 86 × 2.50 + 1,920 × 1.25 + 300 × 10 = 5,615.
    expect(bill("openai", "gpt-4o", scan.usage)).toBe(5_615_000);
    expect(
      bill(
        "openai",
        "gpt-4o",
        events.findLast((event) => event.type === "usage"),
      ),
    ).toBe(5_615_000);
    expect(scan.usage?.raw).toEqual(JSON.parse(chunks[2]?.data ?? "").usage);
  });

  test("of Messages puts the end's counts over the beginning's", () => {
    const sent = [
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "claude-sonnet-4-6",
          content: [],
          stop_reason: null,
          usage: {
            input_tokens: 50,
            cache_creation_input_tokens: 456,
            cache_read_input_tokens: 1_000,
            cache_creation: { ephemeral_5m_input_tokens: 356, ephemeral_1h_input_tokens: 100 },
            output_tokens: 1,
          },
        },
      },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 503 } },
      { type: "message_stop" },
    ];
    const decoder = protocols["anthropic-messages"].streamDecoder(emptyReplyState);
    const events = sent.flatMap((data) => [...decoder.push({ event: data.type, data: JSON.stringify(data) })]);
    const told = events.findLast((event) => event.type === "usage");
    // As the whole answer above: 9,930.
    expect(bill("anthropic", "claude-sonnet-4-6", told)).toBe(9_930_000);
    expect(told?.raw).toEqual({ ...sent[0]?.message?.usage, output_tokens: 503 });
  });
});

describe("the price book", () => {
  test("names its figures: library, model, day", () => {
    expect(priceAt(book, "anthropic", "claude-sonnet-4-6")?.version).toBe(
      "genai-prices 0.1.8 anthropic/claude-sonnet-4-6 since 2026-03-13",
    );
    expect(priceAt(book, "openai", "gpt-4o-2024-08-06")?.version).toBe("genai-prices 0.1.8 openai/gpt-4o");
    expect(priceAt(book, "gemini", "gemini-2.5-flash")?.version).toStartWith("genai-prices 0.1.8 google/");
  });

  test("tells the version of the library that is installed", () => {
    const main = createRequire(import.meta.url).resolve("@pydantic/genai-prices");
    const { version } = JSON.parse(readFileSync(join(dirname(main), "../package.json"), "utf8"));
    expect(priceAt(book, "openai", "gpt-4o")?.version).toStartWith(`genai-prices ${version} `);
  });

  test("knows a price of every model that the presets name, but for those nobody publishes", () => {
    const unpriced = Object.entries(presets)
      .filter(([, preset]) => preset.placement === "cloud")
      .flatMap(([provider, { models }]) => models.map(({ id }) => ({ provider, id })))
      .filter(({ provider, id }) => priceAt(book, provider, id) === undefined);
    expect(unpriced).toEqual([]);
  });

  test("converts every chat price of the library without losing a digit", () => {
    const providers = Object.keys(presets).flatMap((name) => findProvider({ providerId: name }) ?? []);
    let compared = 0;
    for (const { id, models } of providers) {
      for (const model of models) {
        const price = priceAt(book, id, model.id);
        const known = calcPrice({ input_tokens: 1_000_000, output_tokens: 0 }, model.id, {
          providerId: id,
          timestamp: new Date(at),
        });
        if (price === undefined || known === null || price.perRequest !== undefined) continue;
        const cost = costOf({ ...noUsage, inputTokens: 1_000_000 }, price);
        expect(cost / 1e9).toBeCloseTo(known.total_price, 9);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(500);
  });

  test("has no price of what is no known provider's model", async () => {
    expect(priceAt(book, "openai", "no-such-model")).toBeUndefined();
    expect(priceAt(book, "openai-compatible", "gpt-4o")).toBeUndefined();
    expect(priceAt(book, "anthropic-compatible", "claude-sonnet-4-6")).toBeUndefined();
    expect(priceAt(book, "nebius", "gpt-4o")).toBeUndefined();
    expect(priceAt(book, "vllm", "gpt-4o")).toBeUndefined();
    expect(priceAt(book, "__proto__", "gpt-4o")).toBeUndefined();
    const onPremises = await bookOf({ upstreams: [upstream("own", "local", { provider: "openai" })] });
    expect(onPremises.priceOf({ upstream: "own", provider: "openai", model: "gpt-4o" }, at)).toBeUndefined();
  });

  test("gives the same object again: nothing is computed for an attempt", () => {
    const model = { upstream: "anthropic", provider: "anthropic", model: "claude-sonnet-4-6" };
    const price = book.priceOf(model, at);
    expect(book.priceOf(model, at)).toBe(price!);
    expect(book.priceOf(model, at + 10 * hour)).toBe(price!);
  });

  test("keeps the price of each time apart, however times are mixed", () => {
    const start = Date.parse("2026-03-13");
    const times = [start - 1, start, start + 40 * hour, start - 900 * hour, start - 1, start];
    const seen = times.map((when) => priceAt(book, "anthropic", "claude-sonnet-4-6", when)?.input.tiers.length);
    expect(seen).toEqual([1, 0, 0, 1, 1, 0]);
    const night = Date.parse("2026-11-01T20:00:00Z");
    const day = Date.parse("2026-11-02T08:00:00Z");
    const minutes = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? night : day) + i * 30_000);
    const rates = minutes.map((when) => priceAt(book, "deepseek", "deepseek-chat", when)?.input.base as number);
    expect(rates).toEqual(minutes.map((_, i) => (i % 2 === 0 ? 135_000 : 270_000)));
  });

  test("answers the reference's price, with its overrides", async () => {
    expect(book.referencePrice(at)).toBe(priceAt(book, "anthropic", "claude-sonnet-4-6")!);
    const other = await bookOf({
      pricing: {
        reference: { provider: "own", model: "m" },
        overrides: [{ model: "m", provider: "own", input: 1, output: 2 }],
      },
    });
    expect(other.referencePrice(at)).toMatchObject({ version: "override", input: { base: 1_000_000 } });
    expect(
      (await bookOf({ pricing: { reference: { provider: "own", model: "m" } } })).referencePrice(at),
    ).toBeUndefined();
  });
});

describe("overrides", () => {
  const november = Date.parse("2026-11-01");

  test("hold from their day on, the latest first, wherever they stand in the list", async () => {
    const own = await bookOf({
      pricing: {
        overrides: [
          { model: "m", from: "2026-11-01", input: 3, output: 6 },
          { model: "m", input: 1, output: 2 },
          { model: "m", from: "2027-01-01", input: 9, output: 9 },
        ],
      },
    });
    expect(priceAt(own, "p", "m", november - 1)).toMatchObject({ version: "override", input: { base: 1_000_000 } });
    expect(priceAt(own, "p", "m", november)).toMatchObject({
      version: "override 2026-11-01",
      input: { base: 3_000_000 },
      output: { base: 6_000_000 },
    });
    expect(priceAt(own, "p", "other", november)).toBeUndefined();
  });

  test("of one day: the upstream's before the provider's before the general one", async () => {
    const rates = (input: number) => ({ model: "gpt-4o", input, output: 1 });
    const own = await bookOf({
      pricing: {
        overrides: [{ ...rates(1), upstream: "east" }, { ...rates(2), provider: "openai" }, rates(3)],
      },
    });
    const input = (upstream: string, provider: string) =>
      own.priceOf({ upstream, provider, model: "gpt-4o" }, at)?.input.base as number;
    expect(input("east", "openai")).toBe(1_000_000);
    expect(input("west", "openai")).toBe(2_000_000);
    expect(input("west", "other")).toBe(3_000_000);
  });

  test("replace a side whole, or single rates of the price they are laid over", async () => {
    const own = await bookOf({
      pricing: {
        overrides: [
          { model: "claude-haiku-4-5", provider: "anthropic", from: "2026-11-01", cachedRead: 0.05 },
          { model: "claude-sonnet-4-6", provider: "anthropic", input: 2 },
          { model: "mystery", cachedRead: 1 },
        ],
      },
    });
    const haiku = priceAt(own, "anthropic", "claude-haiku-4-5");
    expect(haiku).toMatchObject({
      version: "override 2026-11-01 over genai-prices 0.1.8 anthropic/claude-haiku-4-5",
      input: { base: 1_000_000 },
      cachedRead: { base: 50_000 },
      cacheWrite: { base: 1_250_000 },
    });
    expect(priceAt(own, "anthropic", "claude-haiku-4-5")).toBe(haiku!);
    const sonnet = priceAt(own, "anthropic", "claude-sonnet-4-6");
    expect(sonnet).toMatchObject({ input: { base: 2_000_000 }, output: { base: 15_000_000 } });
    expect(sonnet).not.toHaveProperty("cachedRead");
    expect(priceAt(own, "p", "mystery")).toBeUndefined();
  });

  test("may have tiers of their own, and a fee", async () => {
    const own = await bookOf({
      pricing: {
        overrides: [
          {
            model: "m",
            input: 1,
            output: 10,
            perRequest: 0.5,
            tiers: [
              { aboveInputTokens: 500_000, input: 4 },
              { aboveInputTokens: 100_000, input: 2, output: 20 },
            ],
          },
        ],
      },
    });
    const price = priceAt(own, "p", "m");
    const cost = (inputTokens: number) =>
      price && (costOf({ ...noUsage, inputTokens, outputTokens: 100 }, price) as number);
    // 0.50 $ each, and 100,000 × 1 + 100 × 10; 200,000 × 2 + 100 × 20; 600,000 × 4 + 100 × 20.
    expect([100_000, 200_000, 600_000].map(cost)).toEqual([601_000_000, 902_000_000, 2_902_000_000]);
  });
});

describe("a self-hosted upstream's price", () => {
  const model = { upstream: "own", provider: "vllm", model: "qwen3" };
  const usage = { ...noUsage, inputTokens: 800, cachedReadTokens: 500, outputTokens: 200 };
  const own = (cost: Upstream["cost"]) => [upstream("own", "local", { provider: "vllm", cost })];
  const cost = { perHour: 1.2, replicas: 2, basis: "amortised" } as const;

  test("follows from the hour's cost and the tokens of an hour, as configured until measured", async () => {
    const clock = new FakeClock();
    const meter = new SelfHostedMeter(["own"]);
    const its = await bookOf({ upstreams: own({ ...cost, tokensPerHour: 1_000_000 }), meter, clock });
    const configured = its.priceOf(model, at);
    expect(configured?.version).toBe("self-hosted amortised 1.2 $/h × 2 ÷ 1,000,000 tokens/h (configured)");
    // 2.40 $ for a million tokens, whatever kind: 1,000 of them.
    expect<number | undefined>(configured && costOf(usage, configured)).toBe(2_400_000);

    meter.began("own", clock.monotonicMs());
    await clock.advance(hour);
    meter.ended("own", 811_987, clock.monotonicMs());
    await clock.advance(60_000);
    const measured = its.priceOf(model, at);
    // 811,987 tokens in 61 minutes are 798,676 an hour, told and computed with as 799,000: 3.003755 $ a million.
    expect(measured?.version).toBe("self-hosted amortised 1.2 $/h × 2 ÷ 799,000 tokens/h (measured)");
    expect<number | undefined>(measured && costOf(usage, measured)).toBe(3_003_755);
    expect(its.priceOf(model, at)).toBe(measured!);
  });

  test("leaves idle time out where only the busy one is to be paid", async () => {
    const price = async (basis: "amortised" | "marginal") => {
      const clock = new FakeClock();
      const meter = new SelfHostedMeter(["own"]);
      meter.began("own", clock.monotonicMs());
      await clock.advance(hour / 2);
      meter.ended("own", 500_000, clock.monotonicMs());
      await clock.advance(1.5 * hour);
      return (await bookOf({ upstreams: own({ ...cost, basis }), meter, clock })).priceOf(model, at);
    };
    // 500,000 tokens in half a busy hour of two: 1,000,000 a busy hour, 250,000 an hour.
    expect(await price("marginal")).toMatchObject({
      version: "self-hosted marginal 1.2 $/h × 2 ÷ 1,000,000 tokens/h (measured)",
      output: { base: 2_400_000 },
    });
    expect(await price("amortised")).toMatchObject({
      version: "self-hosted amortised 1.2 $/h × 2 ÷ 250,000 tokens/h (measured)",
      input: { base: 9_600_000 },
    });
  });

  test("is not told of times before the measurement, so that pricing again leaves their rows alone", async () => {
    const clock = new FakeClock();
    const its = await bookOf({ upstreams: own({ ...cost, tokensPerHour: 1_000_000 }), clock });
    expect(its.priceOf(model, clock.now())).toBeDefined();
    expect(its.priceOf(model, clock.now() - 24 * hour - 1)).toBeUndefined();
  });

  test("is unknown until it was measured, where the config names no tokens; an override can tell it", async () => {
    expect((await bookOf({ upstreams: own(cost) })).priceOf(model, at)).toBeUndefined();
    expect((await bookOf({ upstreams: own(undefined) })).priceOf(model, at)).toBeUndefined();
    const pricing = { overrides: [{ model: "qwen3", upstream: "own", input: 0.1, output: 0.2 }] };
    expect((await bookOf({ upstreams: own(cost), pricing })).priceOf(model, at)).toMatchObject({ version: "override" });
  });
});
