import { buildGateway, type Gateway, type GatewayParts } from "../build-gateway.ts";
import { type Listening, listen } from "../server/listen.ts";
import { portOwner } from "./port-owner.ts";
import { StartError } from "./start-error.ts";
import type { StopSignals } from "./stop-signals.ts";

export interface Running {
  readonly url: string;
  /** Resolves when the gateway has drained and closed. */
  readonly stopped: Promise<void>;
  stop(): Promise<void>;
}

/** What happens around a gateway's life. */
export interface RunHooks {
  /** Other processes serve the same port. */
  readonly reusePort: boolean;
  /** Before the first request is taken. */
  built(gateway: Gateway): Promise<void>;
  /** After the last was settled and written. */
  stopped(): Promise<void>;
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
  signals: StopSignals,
  { reusePort, built, stopped: onStop }: RunHooks,
): Promise<Running> {
  if (Number(env["BUN_CONFIG_MAX_HTTP_REQUESTS"] ?? 0) < neededUpstreamRequests) {
    throw new StartError(
      `BUN_CONFIG_MAX_HTTP_REQUESTS must be ${neededUpstreamRequests} or more before the process starts: without it only ` +
        "256 requests reach upstreams at once. The npm scripts, the launcher and the image set it.",
    );
  }
  const { host, port } = parts.server;
  const gateway = buildGateway(parts);
  let listening: Listening;
  try {
    await built(gateway);
    listening = listen(gateway.fetch, { host, port, reusePort });
  } catch (thrown) {
    await gateway.close();
    await onStop();
    throw await startError(thrown, host, port);
  }
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  let stopping: Promise<void> | undefined;
  const stop = (delayMs: number): Promise<void> => {
    stopping ??= drain(gateway, listening, delayMs, gateway.server().drainTimeoutMs).then(onStop).then(resolve);
    return stopping;
  };
  signals.listen((signal) => void stop(signal === "SIGTERM" ? gateway.server().drainDelayMs : 0));
  const shown = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return { url: `http://${shown}:${listening.port}`, stopped, stop: () => stop(0) };
}

/** How long answers may take to reach their clients once they are complete. */
const flushMs = 1_000;

/** How soon a client uses a connection again whose answer has ended. */
const againMs = 250;

/**
 * Ends a gateway without dropping a request: readiness says no while requests are still taken, then no more are, and
 * running ones finish up to the deadline; what still runs then ends with an error of its own. Answers that began before the
 * drain could not say that they are their connection's last: those connections are still served once more, and told.
 */
async function drain(gateway: Gateway, listening: Listening, delayMs: number, timeoutMs: number): Promise<void> {
  const begunBefore = gateway.settledSoFar();
  gateway.startDraining();
  await Bun.sleep(delayMs);
  const startedMs = performance.now();
  if (delayMs > 0 && gateway.isBusy) {
    await within(begunBefore, timeoutMs);
    await Bun.sleep(Math.min(againMs, timeoutMs));
  }
  const closed = listening.close();
  const leftMs = Math.max(0, timeoutMs - (performance.now() - startedMs));
  await within(Promise.all([closed, gateway.idle()]), leftMs);
  gateway.interrupt();
  await within(Promise.all([closed, gateway.idle()]), flushMs);
  await listening.cut();
  await gateway.close();
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** What to tell of a socket that could not be bound. */
export async function startError(thrown: unknown, host: string, port: number): Promise<unknown> {
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
