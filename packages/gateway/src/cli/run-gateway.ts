import { buildGateway, type GatewayParts } from "../build-gateway.ts";
import { type Listening, listen } from "../server/listen.ts";
import { portOwner } from "./port-owner.ts";

export interface Running {
  readonly url: string;
  /** Resolves when the gateway has drained and closed. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** A start that failed for a reason the user can mend; printed without a stack. */
export class StartError extends Error {
  override readonly name = "StartError";
}

/** Without this many, the runtime would let only 256 upstream requests run at once and starve the rest silently. */
const neededUpstreamRequests = 65_535;

/**
 * Starts a gateway and keeps it until SIGTERM or SIGINT: readiness goes off, running requests finish up to the drain
 * deadline, queued records are written. A second signal ends it at once.
 * @throws StartError
 */
export async function runGateway(
  parts: GatewayParts,
  env: NodeJS.ProcessEnv,
  onStop: () => Promise<void>,
): Promise<Running> {
  if (Number(env["BUN_CONFIG_MAX_HTTP_REQUESTS"] ?? 0) < neededUpstreamRequests) {
    throw new StartError(
      `BUN_CONFIG_MAX_HTTP_REQUESTS must be ${neededUpstreamRequests} or more before the process starts: without it only ` +
        "256 requests reach upstreams at once. The npm scripts, the launcher and the image set it.",
    );
  }
  const { host, port, drainTimeoutMs } = parts.server;
  const gateway = buildGateway(parts);
  let listening: Listening;
  try {
    listening = listen(gateway.fetch, { host, port });
  } catch (thrown) {
    await gateway.close();
    throw await startError(thrown, host, port);
  }
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    gateway.startDraining();
    await listening.stop(drainTimeoutMs);
    await gateway.close();
    await onStop();
    resolve();
  };
  const stop = (): Promise<void> => {
    stopping ??= drain();
    return stopping;
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (stopping !== undefined) process.exit(130);
      void stop();
    });
  }
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return { url: `http://${shown}:${listening.port}`, stopped, stop };
}

async function startError(thrown: unknown, host: string, port: number): Promise<unknown> {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  if (code === "EADDRINUSE") {
    return new StartError(
      `Port ${port} on ${host} is taken by ${await portOwner(host, port)}. Stop it or choose another with --port.`,
    );
  }
  if (code === "EACCES") return new StartError(`Port ${port} needs more rights. Choose one above 1023 with --port.`);
  if (code === "EADDRNOTAVAIL") return new StartError(`The address ${host} is not one of this machine's.`);
  return thrown;
}
