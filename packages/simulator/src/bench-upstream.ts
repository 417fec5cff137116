const CHUNKS = 50;
const JSON_BYTES = 1024;
const SSE = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** How to start the load target. */
export interface BenchUpstreamOptions {
  readonly port?: number;
  readonly host?: string;
  /** Milliseconds between stream chunks; 0 sends all 50 at once. */
  readonly paceMs?: number;
  /** Lets several processes share the port. */
  readonly reusePort?: boolean;
}

/** A running load target. */
export interface BenchUpstream {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts a Bun server that answers `/v1/chat/completions` and `/v1/messages` from memory: 1 KB of JSON, or 50 chunks.
 * A body with `"stream":true` gets the stream; header `x-bench-pace-ms` overrides the pace. Every request, no parsing.
 */
export function startBenchUpstream(options: BenchUpstreamOptions = {}): BenchUpstream {
  const routes: Readonly<Record<string, Canned>> = {
    "/v1/chat/completions": cannedChat(),
    "/v1/messages": cannedMessage(),
  };
  const models = JSON.stringify({
    object: "list",
    data: [{ id: "bench", object: "model", created: 0, owned_by: "vllm", max_model_len: 131072 }],
  });
  const defaultPaceMs = options.paceMs ?? 0;
  const server = Bun.serve({
    port: options.port ?? 0,
    hostname: options.host ?? "127.0.0.1",
    reusePort: options.reusePort ?? false,
    idleTimeout: 255,
    async fetch(request) {
      const path = request.url.slice(request.url.indexOf("/", 8));
      const canned = routes[path];
      if (canned === undefined) {
        return path === "/v1/models"
          ? new Response(models, { headers: { "content-type": "application/json" } })
          : new Response(path === "/health" ? null : "not found", { status: path === "/health" ? 200 : 404 });
      }
      const body = await request.text();
      if (!/"stream"\s*:\s*true/.test(body)) {
        return new Response(canned.json, { headers: { "content-type": "application/json" } });
      }
      const header = request.headers.get("x-bench-pace-ms");
      const paceMs = header === null ? defaultPaceMs : Number(header);
      return new Response(paceMs > 0 ? pacedStream(canned.chunks, paceMs) : burstStream(canned.chunks), {
        headers: SSE,
      });
    },
  });
  const port = server.port ?? 0;
  return { url: `http://${options.host ?? "127.0.0.1"}:${port}`, port, stop: () => server.stop(true) };
}

interface Canned {
  readonly json: Uint8Array<ArrayBuffer>;
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
}

function burstStream(chunks: readonly Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next = 0;
  return new ReadableStream({
    pull(controller) {
      const chunk = chunks[next++];
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
}

function pacedStream(
  chunks: readonly Uint8Array<ArrayBuffer>[],
  paceMs: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  return new ReadableStream({
    start(controller) {
      timer = setInterval(() => {
        const chunk = chunks[next++];
        if (chunk !== undefined) return controller.enqueue(chunk);
        clearInterval(timer);
        controller.close();
      }, paceMs);
    },
    cancel() {
      clearInterval(timer);
    },
  });
}

function cannedChat(): Canned {
  const base = { id: "chatcmpl-bench", created: 1_763_600_000, model: "bench" };
  const usage = { prompt_tokens: 20, completion_tokens: CHUNKS, total_tokens: 20 + CHUNKS };
  const whole = (content: string) => ({
    ...base,
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content }, logprobs: null, finish_reason: "stop" }],
    usage,
  });
  const chunk = (delta: object, finish: string | null) =>
    `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })}\n\n`;
  const last = `${chunk({}, "stop")}data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [], usage })}\n\ndata: [DONE]\n\n`;
  return can(
    whole,
    (text, index) => chunk(index === 0 ? { role: "assistant", content: text } : { content: text }, null),
    last,
  );
}

function cannedMessage(): Canned {
  const base = { id: "msg_bench", type: "message", role: "assistant", model: "bench" };
  const usage = { input_tokens: 20, output_tokens: CHUNKS };
  const named = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  const whole = (text: string) => ({
    ...base,
    content: [{ type: "text", text }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage,
  });
  const opening =
    named("message_start", {
      message: { ...base, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } },
    }) + named("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
  const last =
    named("content_block_stop", { index: 0 }) +
    named("message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: CHUNKS },
    }) +
    named("message_stop", {});
  const delta = (text: string) => named("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
  return can(whole, (text, index) => (index === 0 ? opening : "") + delta(text), last);
}

/** Builds exactly 1,024 bytes of JSON and 50 chunks, the last one with the end of the stream. */
function can(whole: (text: string) => object, piece: (text: string, index: number) => string, last: string): Canned {
  const room = JSON_BYTES - Buffer.byteLength(JSON.stringify(whole("")));
  const encoder = new TextEncoder();
  const pieces = Array.from({ length: CHUNKS }, (_, index) => piece(`word${index} `, index));
  pieces[CHUNKS - 1] += last;
  return {
    json: encoder.encode(JSON.stringify(whole("x".repeat(room)))),
    chunks: pieces.map((text) => encoder.encode(text)),
  };
}

if (import.meta.main) {
  const [port, paceMs] = process.argv.slice(2).map(Number);
  const upstream = startBenchUpstream({ port: port ?? 0, paceMs: paceMs ?? 0 });
  const stop = () => void upstream.stop().then(() => process.exit(0));
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  console.log(JSON.stringify({ url: upstream.url, port: upstream.port, pid: process.pid }));
}
