import type { Server } from "bun";
import type { Connection } from "./data-plane.ts";

/** Bun's own idle limit for connections between requests, in seconds. */
const idleSeconds = 60;

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; running requests go on. Resolves when the last one has ended. */
  close(): Promise<void>;
  /** Cuts whatever is still open. */
  cut(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Other processes of the same gateway listen there too, and each connection goes to one of them. */
  readonly reusePort?: boolean;
}

/**
 * Binds a socket to a `Request → Response` function.
 * @throws the runtime's own error, with `code` `EADDRINUSE`, when the port is taken
 */
export function listen(
  fetch: (request: Request, connection: Connection) => Response | Promise<Response>,
  options: ListenOptions,
): Listening {
  const server: Server<undefined> = Bun.serve({
    hostname: options.host,
    port: options.port,
    reusePort: options.reusePort ?? false,
    idleTimeout: idleSeconds,
    // The runtime's own refusal has no body: ours comes first, from the announced length or while counting.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch(request, self) {
      // Answers may be silent for minutes; the attempt's own limits hold then. It stays on the connection until `rest`.
      if (request.method === "POST") self.timeout(request, 0);
      return fetch(request, {
        address: () => self.requestIP(request)?.address,
        rest: () => self.timeout(request, idleSeconds),
      });
    },
    error: () => new Response("The gateway failed.", { status: 500 }),
  });
  return {
    host: options.host,
    port: server.port ?? options.port,
    async close() {
      await server.stop();
    },
    async cut() {
      await server.stop(true);
    },
  };
}
