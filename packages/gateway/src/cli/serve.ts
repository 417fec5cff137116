import type { GatewayParts } from "../build-gateway.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import { openKeyStore, sharedKeyStore } from "../keys/shared-key.ts";
import { logSink } from "../sinks/log/log-sink.ts";
import { makeLogger } from "../sinks/log/make-logger.ts";
import { banner } from "./banner.ts";
import { prepareConfig, type ServeOptions } from "./load.ts";
import { runGateway } from "./run-gateway.ts";

export interface ServeRun extends ServeOptions {
  /** Simulated upstreams stand in for what is missing. */
  readonly demo: boolean;
  /** Log lines for machines; the start is told in one JSON line. */
  readonly json: boolean;
}

/** Runs the gateway until it is told to stop. */
export async function serve(run: ServeRun, env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<void> {
  const { resolved, findings, simulated } = await prepareConfig(run, env, run.demo);
  const asText = run.demo && !run.json;
  const log = makeLogger(resolved.logging.level, asText ? "text" : "json", isTerminal && env["NO_COLOR"] === undefined);
  for (const warning of resolved.warnings) log.logger.warn({ event: "config_warning" }, warning);
  const running = await runGateway(parts(resolved, [logSink(log)]), env, simulated.stop);
  log.flush();
  const lines = { url: running.url, findings: [...findings, ...simulated.findings], resolved, demo: run.demo };
  if (run.json || !(run.demo || isTerminal)) {
    log.logger.info({ event: "listening", url: running.url, findings: lines.findings });
    log.flush();
  } else process.stdout.write(banner(lines, isTerminal));
  await running.stopped;
}

/** What a resolved config makes of a gateway. */
export function parts(resolved: ResolvedConfig, sinks: GatewayParts["sinks"]): GatewayParts {
  const { server, upstreams, catalogue, attemptLimits, breakerLimits, auth } = resolved;
  const keys = auth.key === undefined ? openKeyStore : sharedKeyStore(auth.key);
  return {
    server,
    upstreams,
    catalogue,
    attemptLimits,
    breakerLimits,
    keys,
    ...(sinks === undefined ? {} : { sinks }),
  };
}
