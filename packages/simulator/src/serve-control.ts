import type { IncomingMessage, ServerResponse } from "node:http";
import { FaultSpecError } from "./fault.ts";
import type { FaultRule } from "./fault-rules.ts";
import { accepts, filterFromQuery } from "./hit-filter.ts";
import { isObject, parseJson } from "./json.ts";
import { readBody, type ServerParts } from "./serve-request.ts";
import { applyExpect, applyFault, applyState, isRuleBody } from "./simulator-controls.ts";

/** Paths of the control API start with this; they are never logged as hits. */
export const CONTROL_PREFIX = "/__sim/";
const MAX_WAIT_MS = 60_000;

/** Serves the control API on the port of the simulated server. */
export async function serveControl(req: IncomingMessage, res: ServerResponse, parts: ServerParts): Promise<void> {
  const url = new URL(req.url ?? "/", "http://simulator");
  const text = await readBody(req, parts.stopping);
  const body = text === "" ? null : parseJson(text);
  switch (`${req.method} ${url.pathname.slice(CONTROL_PREFIX.length)}`) {
    case "GET hits":
      return send(res, 200, parts.hits.list().filter(accepts(filterFromQuery(url.searchParams))));
    case "DELETE hits":
      parts.hits.clear();
      return send(res, 200, { ok: true });
    case "GET wait-hit":
      return await waitHit(res, url.searchParams, parts);
    case "PUT fault":
      if (!isRuleBody(body)) return send(res, 400, { error: "expected a rule, a list of rules or null" });
      try {
        applyFault(parts, body as unknown as FaultRule | FaultRule[] | null);
      } catch (error) {
        if (error instanceof FaultSpecError) return send(res, 400, { error: error.message });
        throw error;
      }
      return send(res, 200, { ok: true });
    case "PUT expect":
      if (!isRuleBody(body)) return send(res, 400, { error: "expected an expectation, a list or null" });
      applyExpect(parts, body as Parameters<typeof applyExpect>[1]);
      return send(res, 200, { ok: true });
    case "PUT state":
      if (!isObject(body)) return send(res, 400, { error: "expected an object" });
      applyState(parts, body);
      return send(res, 200, { ok: true });
    default:
      return send(res, 404, { error: `no control route ${req.method} ${url.pathname}` });
  }
}

async function waitHit(res: ServerResponse, query: URLSearchParams, parts: ServerParts): Promise<void> {
  const timeoutMs = Math.min(Number(query.get("timeoutMs") ?? 5_000), MAX_WAIT_MS);
  const left = new AbortController();
  res.on("close", () => left.abort());
  const signal = AbortSignal.any([left.signal, parts.stopping]);
  const hit = await parts.hits.waitFor(accepts(filterFromQuery(query)), timeoutMs, signal);
  if (hit === null) send(res, 408, { error: `no such hit within ${timeoutMs} ms` });
  else send(res, 200, hit);
}

function send(res: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  res.writeHead(status, { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) });
  res.end(text);
}
