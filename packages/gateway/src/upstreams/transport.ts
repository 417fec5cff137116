import { connect } from "node:net";
import type { Upstream } from "../core/deployment.ts";
import { GatewayError } from "../core/errors.ts";

/** One request to an upstream, ready to go out. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST";
  /** Absolute. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Sends requests to upstreams. The only place that opens connections. */
export interface Transport {
  /**
   * Resolves at the response's headers.
   * @throws GatewayError `unreachable`, or the reason the signal was aborted with
   */
  send(upstream: Upstream, request: UpstreamRequest): Promise<Response>;
  /**
   * Resolves when a connection to the upstream's host can be opened, rejects when it is refused. Never hangs past the
   * signal. It tells a host that does not answer from one that is only slow, which a request alone cannot.
   */
  reach(upstream: Upstream, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** Upstream connections that idle longer are dropped, so that a changed DNS entry is followed. */
const idleSeconds = 30;

/** Each upstream gets a session of its own: connections are never shared between two upstreams' identities. */
export class FetchTransport implements Transport {
  readonly #sessions = new Map<string, Bun.FetchSession>();

  async send(upstream: Upstream, request: UpstreamRequest): Promise<Response> {
    try {
      return await this.#session(upstream).fetch(request.url, {
        method: request.method,
        headers: request.headers,
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: request.signal,
        redirect: "manual",
        // Our own deadlines hold; Bun's would end a quiet stream after five minutes.
        timeout: false,
        // Without this, Bun would send even loopback calls through the process's proxy variables.
        proxy: upstream.proxy ?? false,
      } as BunFetchRequestInit);
    } catch (thrown) {
      throw unreachable(thrown, request.signal);
    }
  }

  reach(upstream: Upstream, signal: AbortSignal): Promise<void> {
    const url = new URL(upstream.baseUrl);
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      const finish = (act: () => void): void => {
        signal.removeEventListener("abort", aborted);
        socket.destroy();
        act();
      };
      const aborted = (): void => finish(() => reject(unreachable(signal.reason, signal)));
      socket.once("connect", () => finish(resolve));
      socket.once("error", (error) => finish(() => reject(unreachable(error, signal))));
      if (signal.aborted) aborted();
      else signal.addEventListener("abort", aborted);
    });
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }

  #session(upstream: Upstream): Bun.FetchSession {
    let session = this.#sessions.get(upstream.name);
    if (session === undefined) {
      session = new Bun.FetchSession({ keepAlive: { idleTimeout: idleSeconds } });
      this.#sessions.set(upstream.name, session);
    }
    return session;
  }
}

const explanations: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ConnectionRefused: "refused the connection",
  ENOTFOUND: "has a host name that does not resolve",
  ECONNRESET: "closed the connection before it answered",
  ConnectionClosed: "closed the connection before it answered",
};

/** Turns whatever a connection attempt threw into an error that names the cause without the upstream's address. */
function unreachable(thrown: unknown, signal: AbortSignal): GatewayError {
  if (signal.aborted && signal.reason instanceof GatewayError) return signal.reason;
  if (thrown instanceof GatewayError) return thrown;
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
  const what =
    explanations[code] ??
    (/CERT|TLS|SSL/.test(code) ? "has a certificate that is not trusted" : "could not be reached");
  const refused = /REFUSED|Refused|NOTFOUND/.test(code);
  const reset = code === "ECONNRESET" || code === "ConnectionClosed";
  return new GatewayError("unreachable", `The upstream ${what}.`, { cause: thrown, refused, reset });
}
