import { parseSimulateArgs, SIMULATE_USAGE } from "./parse-simulate-args.ts";
import { startSimulator } from "./start-simulator.ts";

if (process.argv.includes("--help")) {
  console.log(SIMULATE_USAGE);
  process.exit(0);
}
try {
  const options = parseSimulateArgs(process.argv.slice(2));
  const simulator = await startSimulator(options);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void simulator.stop().then(() => process.exit(0)));
  }
  console.log(JSON.stringify({ url: simulator.url, port: simulator.port, flavour: options.flavour, pid: process.pid }));
} catch (error) {
  console.error(`simulate: ${error instanceof Error ? error.message : String(error)}\n\n${SIMULATE_USAGE}`);
  process.exit(2);
}
