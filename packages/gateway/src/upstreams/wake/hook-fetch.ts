import { hookFault } from "./hook-fault.ts";

const maxBytes = 262_144;

export interface HookRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** PEM text to trust in place of the system's certificates. */
  readonly ca?: string | undefined;
  readonly signal: AbortSignal;
}

export interface HookAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Sends one request to a server that is no upstream: never through an ambient proxy, never after a redirect, never more than
 * a bounded answer.
 * @throws GatewayError that names the cause, without the address
 */
export async function hookFetch(target: string, request: HookRequest): Promise<HookAnswer> {
  const { method, url, headers, body, ca, signal } = request;
  const options: BunFetchRequestInit = {
    method,
    headers: { ...headers },
    signal,
    redirect: "manual",
    proxy: false as never,
    ...(body === undefined ? {} : { body }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  };
  try {
    const response = await fetch(url, options);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
    return { status: response.status, text: Buffer.concat(chunks).toString("utf8") };
  } catch (thrown) {
    throw hookFault(target, causeOf(thrown, signal), thrown);
  }
}

function causeOf(thrown: unknown, signal: AbortSignal): string {
  if (signal.aborted) return "no answer came in time";
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
  if (/REFUSED/i.test(code)) return "the connection was refused";
  if (/NOTFOUND|EAI_AGAIN|DNS/i.test(code)) return "the host name does not resolve";
  if (/CERT|TLS|SSL|EPROTO/i.test(code)) return "the certificate is not trusted";
  return "the server could not be reached";
}
