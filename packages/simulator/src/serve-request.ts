import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { BodyWriter, Cut } from "./body-writer.ts";
import type { EngineState } from "./engine-state.ts";
import { differences, type Expectation } from "./expectation.ts";
import { type Fault, FaultSpecError } from "./fault.ts";
import type { FaultRules } from "./fault-rules.ts";
import type { Flavour, RequestHead } from "./flavour.ts";
import type { Hit, HitLog } from "./hit-log.ts";
import { isObject, type Json, type JsonObject, parseJson, textOf } from "./json.ts";
import { Gone, pause } from "./pause.ts";
import { RefusedRequest } from "./refused-request.ts";
import { serveEarlyFault, serveGeneration } from "./serve-generation.ts";

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const SECRETS = new Set(["authorization", "x-api-key", "api-key", "proxy-authorization", "cookie"]);

/** Everything one simulated server shares between its requests. */
export interface ServerParts {
  readonly flavour: Flavour;
  readonly state: EngineState;
  readonly rules: FaultRules;
  readonly hits: HitLog;
  readonly apiKey: string | null;
  readonly expectations: Expectation[];
  readonly stopping: AbortSignal;
}

/** Serves one request of the simulated API and keeps its hit up to date until the end. */
export async function serveRequest(req: IncomingMessage, res: ServerResponse, parts: ServerParts): Promise<void> {
  const head = headOf(req);
  const hit = parts.hits.open(head.method, head.path, head.query.toString(), redact(head.headers));
  const gone = new AbortController();
  const progressed = () => parts.hits.changed(hit);
  let writer = new BodyWriter(res, null, hit, gone.signal, progressed);
  const stop = () => gone.abort();
  parts.stopping.addEventListener("abort", stop, { once: true });
  res.on("close", () => {
    if (!writer.finished) {
      hit.aborted = true;
      hit.abortedAt ??= performance.now();
      progressed();
    }
    gone.abort();
  });
  try {
    const text = await readBody(req, gone.signal);
    const body = text === "" ? undefined : parseJson(text);
    if (body !== undefined) parts.hits.keepBody(hit, body, text.length);
    const generates = head.method === "POST" && parts.flavour.generationPaths.includes(head.path);
    if (isObject(body)) {
      hit.model = textOf(body["model"]) || null;
      hit.stream = body["stream"] === true;
    }
    parts.hits.changed(hit);
    const fault = takeFault(parts, head, hit, generates);
    writer = new BodyWriter(res, fault, hit, gone.signal, progressed);
    await answer(head, body, generates, fault, writer, parts, hit, gone.signal);
  } catch (error) {
    await conclude(error, res, writer, hit);
  } finally {
    parts.stopping.removeEventListener("abort", stop);
    hit.endedAt = performance.now();
    parts.hits.changed(hit);
  }
}

async function answer(
  head: RequestHead,
  body: Json | undefined,
  generates: boolean,
  fault: Fault | null,
  writer: BodyWriter,
  parts: ServerParts,
  hit: Hit,
  signal: AbortSignal,
): Promise<void> {
  const { flavour, state, apiKey } = parts;
  const unauthorised = apiKey === null ? null : flavour.authorise(head, apiKey);
  if (unauthorised !== null) throw unauthorised;
  checkExpectations(parts, head, body, hit);
  const exchange = { flavour, state, fault, hit, writer, signal };
  if (await serveEarlyFault(exchange, hit.stream)) return;
  if (generates) {
    if (!isObject(body)) throw flavour.unreadable();
    return await serveGeneration(exchange, flavour.accept(body, head));
  }
  const page = flavour.page(head, body, state);
  if (page === null) throw flavour.notFound(head);
  if (page.afterMs !== undefined) await pause(page.afterMs, signal);
  const text = typeof page.body === "string" ? page.body : JSON.stringify(page.body);
  writer.head(page.status, { "content-type": page.contentType, "content-length": String(Buffer.byteLength(text)) });
  if (head.method !== "HEAD") await writer.text(text);
  await writer.end();
}

/** Rules without a path touch only generation; header and model faults touch whatever carries them. */
function takeFault(parts: ServerParts, head: RequestHead, hit: Hit, generates: boolean): Fault | null {
  const fault = parts.rules.take(head.path, hit.model ?? "", head.headers["x-sim-fault"], generates);
  hit.fault = fault?.spec ?? null;
  return fault;
}

function checkExpectations(parts: ServerParts, head: RequestHead, body: Json | undefined, hit: Hit): void {
  for (const expected of parts.expectations) {
    if (expected.path !== undefined && expected.path !== head.path) continue;
    if (expected.model !== undefined && expected.model !== hit.model) continue;
    const found = differences(expected, head.headers, body);
    if (found.length === 0) continue;
    hit.differences = found;
    const error = {
      type: "simulator_expectation",
      message: "The request is not what the test expects.",
      differences: found,
    };
    throw new RefusedRequest(400, { type: "error", error } as unknown as JsonObject, { "x-should-retry": "false" });
  }
}

/** Turns whatever ended the exchange into an answer, if one can still be sent. */
async function conclude(error: unknown, res: ServerResponse, writer: BodyWriter, hit: Hit): Promise<void> {
  if (error instanceof Cut) return;
  if (error instanceof Gone || res.destroyed) {
    res.destroy();
    return;
  }
  const refused = asRefusal(error);
  if (refused === null || writer.headersSent) {
    console.error("simulator:", error);
    res.destroy();
    return;
  }
  const plain = typeof refused.body === "string";
  const text = plain ? String(refused.body) : JSON.stringify(refused.body);
  hit.status = refused.status;
  hit.firstByteAt = performance.now();
  hit.bytesSent = Buffer.byteLength(text);
  writer.finished = true;
  res.writeHead(refused.status, {
    "content-type": plain ? "text/plain; charset=utf-8" : "application/json",
    "content-length": String(hit.bytesSent),
    ...refused.headers,
  });
  res.end(text);
}

function asRefusal(error: unknown): RefusedRequest | null {
  if (error instanceof RefusedRequest) return error;
  if (!(error instanceof FaultSpecError)) return null;
  return new RefusedRequest(400, { error: { type: "simulator_fault_spec", message: error.message } });
}

function headOf(req: IncomingMessage): RequestHead {
  const url = new URL(req.url ?? "/", "http://simulator");
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(req.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return { method: req.method ?? "GET", path: url.pathname, query: url.searchParams, headers };
}

function redact(headers: Readonly<Record<string, string>>): Record<string, string> {
  const out: Record<string, string> = { ...headers };
  for (const name of SECRETS) {
    const value = out[name];
    if (value !== undefined) out[name] = `sha256:${createHash("sha256").update(value).digest("hex").slice(0, 8)}`;
  }
  return out;
}

/** Reads the whole body; also used by the control routes. */
export async function readBody(req: IncomingMessage, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req) {
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > MAX_BODY_BYTES) throw new RefusedRequest(413, { error: { message: "Request body too large" } });
      chunks.push(bytes);
    }
  } catch (error) {
    if (error instanceof RefusedRequest) throw error;
    throw new Gone();
  }
  if (signal.aborted) throw new Gone();
  return Buffer.concat(chunks).toString("utf8");
}
