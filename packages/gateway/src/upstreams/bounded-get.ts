import type { ProbeAnswer } from "./engines/engine.ts";

/** The part of `fetch` that a bounded GET uses. */
export type GetFetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

/** Why no answer came. */
export type GetFailure = "refused" | "dns" | "tls" | "timeout" | "closed" | "other";

export type GetResult =
  | { readonly ok: true; readonly answer: ProbeAnswer }
  | { readonly ok: false; readonly failure: GetFailure; readonly detail: string };

export interface GetOptions {
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** Proxy of this upstream; without one the connection is direct, whatever the process's proxy variables say. */
  readonly proxy?: string | undefined;
  readonly maxBytes?: number;
}

const usualMaxBytes = 1_048_576;

/** Reads at most `maxBytes` of a body and gives up the rest. */
async function readBounded(response: Response, maxBytes: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < maxBytes) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks).toString("utf8");
    chunks.push(value);
    size += value.byteLength;
  }
  await reader.cancel().catch(() => undefined);
  return Buffer.concat(chunks).subarray(0, maxBytes).toString("utf8");
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Names the cause of a failed connection, from the runtime's error codes. */
export function explainFailure(thrown: unknown): { readonly failure: GetFailure; readonly detail: string } {
  const fields = typeof thrown === "object" && thrown !== null ? (thrown as { code?: unknown; name?: unknown }) : {};
  const name = String(fields.name ?? "");
  const code = typeof fields.code === "string" ? fields.code : name;
  if (name === "TimeoutError" || name === "AbortError") return { failure: "timeout", detail: "timeout" };
  if (/REFUSED/i.test(code)) return { failure: "refused", detail: code };
  if (/NOTFOUND|EAI_AGAIN|DNS/i.test(code)) return { failure: "dns", detail: code };
  if (/CERT|TLS|SSL|EPROTO|UNABLE_TO|SIGNATURE/i.test(code)) return { failure: "tls", detail: code };
  if (/RESET|Closed|EPIPE/i.test(code)) return { failure: "closed", detail: code };
  return { failure: "other", detail: code };
}

/** Sends one GET: never through an ambient proxy, never after a redirect, never more than a bounded body. Never throws. */
export async function boundedGet(fetch: GetFetch, url: string, options: GetOptions): Promise<GetResult> {
  try {
    const response = await fetch(url, {
      method: "GET",
      headers: { accept: "application/json", ...options.headers },
      redirect: "manual",
      signal: options.signal,
      proxy: options.proxy ?? false,
    });
    const body = parseBody(await readBounded(response, options.maxBytes ?? usualMaxBytes));
    const answer = { status: response.status, headers: Object.fromEntries(response.headers), body };
    return { ok: true, answer };
  } catch (thrown) {
    return { ok: false, ...explainFailure(options.signal.aborted ? options.signal.reason : thrown) };
  }
}
