import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ConfigError } from "../config/config-error.ts";
import type { AdminOptions } from "./admin-client.ts";
import { adminCommands, toGateway } from "./admin-commands.ts";
import { CommandError } from "./command-error.ts";
import { type CommandResult, runConfigCheck } from "./config-check.ts";
import { runDoctor } from "./doctor.ts";
import { importCommand } from "./import-command.ts";
import { prepareConfig, type ServeOptions } from "./load.ts";
import { replayCommand } from "./replay-command.ts";
import { routeCommand } from "./route-command.ts";
import { serve } from "./serve.ts";
import { StartError } from "./start-error.ts";
import { strategiesCommand } from "./strategies.ts";

/** Ends of the process: 0 all is well, 1 something failed, 2 the call or the config is wrong. */
const exit = { ok: 0, failed: 1, wrong: 2 } as const;

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("expected a port from 0 to 65535");
  return port;
}

function serveCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("-c, --config <file>", "config file (default: fairlead.yaml here, or /config.yaml, or none)")
    .option("-p, --port <port>", "port to listen on (default: 8080)", portNumber)
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--json", "log and report in JSON lines", false);
}

function workerNumber(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > 64) throw new InvalidArgumentError("expected a number from 1 to 64");
  return count;
}

/** Makes a wrong call of a command, or of any below it, end with a hint instead of the process. Nothing of it is inherited. */
function explainMistakes(command: Command, path: string): void {
  const listed = command.commands.length > 0 ? "commands and options" : "options";
  command.exitOverride().showSuggestionAfterError().showHelpAfterError(`(${path} --help lists ${listed})`);
  for (const inner of command.commands) explainMistakes(inner, `${path} ${inner.name()}`);
}

type ServeFlags = ServeOptions & { readonly json: boolean };

/**
 * Runs the command line and returns the process's exit code. Faults of the user are one clear message on standard
 * error, without a stack.
 */
export async function program(argv: readonly string[], env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<number> {
  let code: number = exit.ok;
  const finish = ({ exitCode, output }: CommandResult): void => {
    process.stdout.write(`${output}\n`);
    code = exitCode;
  };
  const root = new Command("fairlead")
    .description("A hybrid LLM gateway: one endpoint, served by your own models or by cloud APIs.")
    .version("0.1.0");
  root.addCommand(
    serveCommand("serve", "run the gateway")
      .option("-w, --workers <number>", "processes that serve the port (default: 1)", workerNumber)
      .action(async (flags: ServeFlags) => {
        code = await serve({ ...flags, demo: false }, env, isTerminal);
      }),
  );
  root.addCommand(
    serveCommand("demo", "run the gateway; simulated upstreams stand in for what is missing").action(
      async (flags: ServeFlags) => {
        code = await serve({ ...flags, demo: true }, env, isTerminal);
      },
    ),
  );
  root.addCommand(
    new Command("doctor")
      .description("check each upstream: reachable, key accepted, models served, latency")
      .option("-c, --config <file>", "config file")
      .option("--json", "report in JSON", false)
      .action(async ({ config, json }: ServeFlags) => {
        const { resolved } = await prepareConfig({ config }, env, false);
        finish(await runDoctor({ resolved, json }));
      }),
  );
  const config = new Command("config").description("work with the config file");
  config.addCommand(
    new Command("check")
      .description("check a config file as the gateway would on start; exits 2 when it is wrong")
      .argument("[file]", "config file", "fairlead.yaml")
      .option("--json", "report in JSON", false)
      .action(async (path: string, { json }: { json: boolean }) => finish(await runConfigCheck({ path, env, json }))),
  );
  config.addCommand(
    toGateway(new Command("diff"))
      .description("compare a config file with what a gateway has in force, or two files; exits 1 when they differ")
      .argument("[file]", "config file", "fairlead.yaml")
      .argument("[other]", "a second file, in place of the gateway")
      .action(async (path: string, other: string | undefined, { json, ...to }: AdminOptions & { json: boolean }) => {
        const { diffFiles, diffRunning } = await import("./config-diff.ts");
        if (other !== undefined) return finish(diffFiles(path, other, env, json));
        const { adminClient } = await import("./admin-client.ts");
        finish(await diffRunning(() => adminClient(to, env), path, json));
      }),
  );
  root.addCommand(config);
  for (const command of adminCommands(env, finish)) root.addCommand(command);
  root.addCommand(routeCommand(env, finish));
  root.addCommand(replayCommand(env, finish));
  root.addCommand(importCommand(finish));
  root.addCommand(strategiesCommand(env, finish));
  root.addCommand(
    new Command("simulate")
      .description("run a simulated upstream")
      .usage("[options]")
      .allowUnknownOption()
      .helpOption(false)
      .argument("[options...]")
      .action((options: string[]) => simulate(options)),
  );
  explainMistakes(root, "fairlead");
  try {
    await root.parseAsync([...argv], { from: "user" });
    return code;
  } catch (thrown) {
    return explain(thrown);
  }
}

/** A call that makes no sense; printed without a stack. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

async function simulate(options: readonly string[]): Promise<void> {
  const { parseSimulateArgs, SIMULATE_USAGE } = await import("@fairlead/simulator/parse-simulate-args");
  const { startSimulator } = await import("@fairlead/simulator/start-simulator");
  if (options.includes("--help")) {
    process.stdout.write(`${SIMULATE_USAGE}\n`);
    return;
  }
  let parsed: ReturnType<typeof parseSimulateArgs>;
  try {
    parsed = parseSimulateArgs(options);
  } catch (thrown) {
    throw new UsageError(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${SIMULATE_USAGE}`);
  }
  const simulator = await startSimulator(parsed);
  process.stdout.write(`${JSON.stringify({ url: simulator.url, port: simulator.port, flavour: parsed.flavour })}\n`);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  await promise;
  await simulator.stop();
}

function explain(thrown: unknown): number {
  // Commander has already printed its own message.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exit.ok : exit.wrong;
  if (thrown instanceof ConfigError) {
    process.stderr.write(`${thrown.message}\n`);
    return exit.wrong;
  }
  if (thrown instanceof UsageError) {
    process.stderr.write(`fairlead simulate: ${thrown.message}\n`);
    return exit.wrong;
  }
  if (thrown instanceof StartError || thrown instanceof CommandError) {
    process.stderr.write(`fairlead: ${thrown.message}\n`);
    return exit.failed;
  }
  process.stderr.write(`fairlead: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  return exit.failed;
}
