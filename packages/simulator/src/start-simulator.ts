import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { makeAnthropicFlavour } from "./anthropic/anthropic-flavour.ts";
import { EngineState } from "./engine-state.ts";
import type { Expectation } from "./expectation.ts";
import { type FaultRule, FaultRules } from "./fault-rules.ts";
import type { FlavourName, ModelSpec } from "./flavour.ts";
import { type Hit, HitLog } from "./hit-log.ts";
import { makeChatFlavour } from "./openai/chat-flavour.ts";
import { CONTROL_PREFIX, serveControl } from "./serve-control.ts";
import { type ServerParts, serveRequest } from "./serve-request.ts";
import { applyExpect, applyFault, applyState, type StateChange } from "./simulator-controls.ts";

/** How to start a simulated upstream. */
export interface SimulatorOptions {
  readonly flavour: FlavourName;
  readonly models: readonly ModelSpec[];
  /** 0 or absent takes a free port. */
  readonly port?: number;
  readonly host?: string;
  /** When set, other keys get the 401 of that API. */
  readonly apiKey?: string;
  readonly tokensPerSecond?: number;
  readonly firstTokenMs?: number;
  /** Requests that generate at once; more wait in line. */
  readonly slots?: number;
  readonly coldStartMs?: number;
  readonly faults?: readonly FaultRule[];
  readonly expect?: readonly Expectation[];
  /** Hits kept; 1,000 when absent. */
  readonly maxHits?: number;
}

/** A running simulated upstream. */
export interface Simulator {
  /** Origin without a path, such as `http://127.0.0.1:40123`. */
  readonly url: string;
  readonly port: number;
  hits(): Hit[];
  clearHits(): void;
  /** Resolves as soon as a hit satisfies the predicate, past ones included; rejects at the deadline. */
  waitForHit(predicate: (hit: Hit) => boolean, timeoutMs: number): Promise<Hit>;
  setFault(fault: FaultRule | readonly FaultRule[] | null): void;
  setExpect(expected: Expectation | readonly Expectation[] | null): void;
  setState(change: StateChange): void;
  setHealthy(healthy: boolean): void;
  setCold(ms: number): void;
  /** Ends every request and closes every socket. */
  stop(): Promise<void>;
}

/**
 * Starts a simulated upstream on loopback; runs on Bun and on Node.
 * @throws FaultSpecError
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const stopping = new AbortController();
  const parts = partsOf(options, stopping.signal);
  const sockets = new Set<Socket>();
  const server = createServer((req, res) => {
    res.on("error", () => {});
    const serve = req.url?.startsWith(CONTROL_PREFIX) ? serveControl : serveRequest;
    serve(req, res, parts).catch((error: unknown) => {
      if (!res.destroyed && !stopping.signal.aborted) console.error("simulator:", error);
      res.destroy();
    });
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    hits: () => parts.hits.list(),
    clearHits: () => parts.hits.clear(),
    async waitForHit(predicate, timeoutMs) {
      const hit = await parts.hits.waitFor(predicate, timeoutMs, stopping.signal);
      if (hit === null) throw new Error(`the simulator saw no such hit within ${timeoutMs} ms`);
      return hit;
    },
    setFault: (fault) => applyFault(parts, fault),
    setExpect: (expected) => applyExpect(parts, expected),
    setState: (change) => applyState(parts, change),
    setHealthy: (healthy) => applyState(parts, { healthy }),
    setCold: (coldMs) => applyState(parts, { coldMs }),
    async stop() {
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function partsOf(options: SimulatorOptions, stopping: AbortSignal): ServerParts {
  const { flavour: name, models } = options;
  const state = new EngineState(options.slots ?? null, options.tokensPerSecond ?? null, options.firstTokenMs ?? 0);
  if (options.coldStartMs !== undefined) state.setCold(options.coldStartMs);
  return {
    flavour: name === "anthropic" ? makeAnthropicFlavour(models) : makeChatFlavour(name, models),
    state,
    rules: new FaultRules(options.faults ?? []),
    hits: new HitLog(options.maxHits ?? 1_000),
    apiKey: options.apiKey ?? null,
    expectations: [...(options.expect ?? [])],
    stopping,
  };
}
