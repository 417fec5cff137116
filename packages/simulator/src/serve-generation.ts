import type { BodyWriter } from "./body-writer.ts";
import { type Answer, composeAnswer } from "./compose-answer.ts";
import type { EngineState } from "./engine-state.ts";
import type { Fault } from "./fault.ts";
import type { Flavour, Frame, Generation, Rendering } from "./flavour.ts";
import type { Hit } from "./hit-log.ts";
import { breathe, pause } from "./pause.ts";
import { RefusedRequest } from "./refused-request.ts";

const STALL_MS = 600_000;
const BURST_FRAMES = 64;
const SSE = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
};

/** One generation request on its way through the simulated engine. */
export interface GenerationExchange {
  readonly flavour: Flavour;
  readonly state: EngineState;
  readonly fault: Fault | null;
  readonly hit: Hit;
  readonly writer: BodyWriter;
  readonly signal: AbortSignal;
}

/** Applies the faults that come before any generation; returns true when the request is answered. */
export async function serveEarlyFault(at: GenerationExchange, stream: boolean): Promise<boolean> {
  const { fault, flavour, writer, signal } = at;
  if (fault === null) return false;
  if (fault.slowHeadersMs !== undefined) await pause(fault.slowHeadersMs, signal);
  if (fault.stall === "headers") await pause(STALL_MS, signal);
  if (fault.status !== undefined) {
    const { status, body, headers } = flavour.failure(fault.status, fault.code);
    throw new RefusedRequest(status, body, { ...headers, ...hintHeaders(fault) });
  }
  if (fault.redirect !== undefined) throw new RefusedRequest(307, "", { location: fault.redirect });
  if (fault.html) {
    const page = "<!doctype html><html><head><title>Welcome</title></head><body><h1>It works</h1></body></html>";
    writer.head(200, { "content-type": "text/html", "content-length": String(page.length) });
    await writer.text(page);
    await writer.end();
    return true;
  }
  if (fault.empty) {
    writer.head(200, stream ? SSE : { "content-type": "application/json", "content-length": "0" });
    await writer.end();
    return true;
  }
  return false;
}

/** Waits for the model and a slot, generates, and writes the answer in the asked form. */
export async function serveGeneration(at: GenerationExchange, generation: Generation): Promise<void> {
  await waitUntilWarm(at);
  const queue = at.fault?.queueSlots === undefined ? at.state.slots : at.state.queueOf(at.fault.queueSlots);
  const release = await queue.acquire(at.signal);
  let finish = "abort";
  let firstTokenMs = 0;
  try {
    const answer = enlarge(composeAnswer(generation.prompt), at.fault);
    const rendering = generation.render(answer);
    if (at.fault?.errorAt !== undefined && !generation.stream) {
      await writeWhole(at, rendering, JSON.stringify(at.flavour.failure(500).body));
    } else {
      await (generation.stream ? writeStream(at, rendering, answer) : writeJson(at, rendering, answer));
    }
    finish = rendering.finish;
    if (at.hit.firstByteAt !== null) firstTokenMs = at.hit.firstByteAt - at.hit.startedAt;
  } finally {
    release();
    at.state.count(generation.prompt.promptTokens, at.hit.tokensProduced, firstTokenMs, finish);
  }
}

async function waitUntilWarm({ fault, state, flavour, signal }: GenerationExchange): Promise<void> {
  if (fault?.coldMs !== undefined) state.setColdOnce(fault.spec, fault.coldMs);
  if (!state.healthy) throw flavour.failure(503);
  if (state.sleeping) {
    // Only a call wakes this one; the others wake for the request.
    if (flavour.name === "vllm") throw flavour.failure(503);
    await pause(state.wake(), signal);
  }
  if (state.coldForMs === 0) return;
  const refusal = flavour.loading();
  if (refusal !== null) throw refusal;
  while (state.coldForMs > 0) await pause(Math.min(state.coldForMs + 1, 1_000), signal);
}

async function writeJson(at: GenerationExchange, rendering: Rendering, answer: Answer): Promise<void> {
  const pacing = paceOf(at, answer);
  const total = answer.outputTokens;
  await pause(at.fault?.stall === "first-token" ? 0 : pacing.firstTokenMs + total * pacing.tokenMs, at.signal);
  at.hit.tokensProduced = total;
  const text = JSON.stringify(rendering.json());
  await writeWhole(at, rendering, at.fault?.malformed ? text.slice(0, Math.floor(text.length / 2)) : text);
}

async function writeWhole(at: GenerationExchange, rendering: Rendering, text: string): Promise<void> {
  at.writer.head(200, {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(text)),
    ...rendering.headers,
  });
  if (at.fault?.stall === "first-token") await pause(STALL_MS, at.signal);
  if (at.fault?.stall === "mid") {
    await at.writer.text(text.slice(0, Math.floor(text.length / 2)));
    await pause(STALL_MS, at.signal);
  }
  await at.writer.text(text);
  await at.writer.end();
}

async function writeStream(at: GenerationExchange, rendering: Rendering, answer: Answer): Promise<void> {
  const { writer, fault, hit, signal } = at;
  const pacing = paceOf(at, answer);
  writer.head(200, { ...SSE, ...rendering.headers });
  if (fault?.errorAt === "first") return await writeStreamError(at);
  const middle = Math.max(1, Math.ceil(answer.outputTokens / 2));
  let due = performance.now() + pacing.firstTokenMs;
  let frames = 0;
  for (const frame of rendering.frames()) {
    if (isLeftOut(frame, fault)) continue;
    if (frame.tokens > 0) {
      if (fault?.stall === "first-token") await pause(STALL_MS, signal);
      if (hit.tokensProduced >= middle) {
        if (fault?.errorAt === "mid") return await writeStreamError(at);
        if (fault?.stall === "mid") await pause(STALL_MS, signal);
      }
      await pause(due - performance.now(), signal);
      due += pacing.tokenMs * frame.tokens;
    } else if (frame.kind === "finish") {
      if (fault?.errorAt === "mid") return await writeStreamError(at);
      if (fault?.stall !== undefined) await pause(STALL_MS, signal);
    }
    if (fault?.comments) await writer.text(": keep-alive\n\n");
    await writer.text(frame.data);
    if (frame.tokens > 0 && fault?.malformed && hit.tokensProduced === 0) await writer.text('data: {"id":"broken\n\n');
    hit.tokensProduced += frame.tokens;
    if (++frames % BURST_FRAMES === 0) await breathe(signal);
  }
  await writer.end();
}

async function writeStreamError({ flavour, writer }: GenerationExchange): Promise<void> {
  for (const event of flavour.streamError()) await writer.text(event);
  await writer.end();
}

function isLeftOut(frame: Frame, fault: Fault | null): boolean {
  if (fault?.leaveOut === "done") return frame.kind === "done";
  return fault?.leaveOut === "finish" && (frame.kind === "done" || frame.kind === "finish" || frame.kind === "usage");
}

function paceOf({ state }: GenerationExchange, answer: Answer): { firstTokenMs: number; tokenMs: number } {
  const { paceMs, firstTokenMs } = answer.directives;
  const engineMs = state.tokensPerSecond === null ? 0 : 1000 / state.tokensPerSecond;
  return { firstTokenMs: firstTokenMs ?? state.firstTokenMs, tokenMs: paceMs ?? engineMs };
}

function enlarge(answer: Answer, fault: Fault | null): Answer {
  if (fault?.hugeMib === undefined) return answer;
  return { ...answer, text: "x".repeat(fault.hugeMib * 1024 * 1024), hugeText: true };
}

function hintHeaders(fault: Fault): Record<string, string> {
  const headers: Record<string, string> = {};
  if (fault.retryAfter !== undefined) headers["retry-after"] = fault.retryAfter;
  if (fault.retryAfterMs !== undefined) headers["retry-after-ms"] = fault.retryAfterMs;
  if (fault.shouldRetry !== undefined) headers["x-should-retry"] = fault.shouldRetry;
  return headers;
}
