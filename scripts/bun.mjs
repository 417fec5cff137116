// Finds the Bun binary that npm installed and runs it with the given arguments, forwarding signals and the exit code.
// With install scripts the binary is moved to `bun/bin/bun.exe`; with `--ignore-scripts` it stays in its platform package.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Platform packages that npm may have installed for this machine, the best match first. */
function platformPackages() {
  const os = process.platform === "win32" ? "windows" : process.platform;
  const cpu = process.arch === "arm64" ? "aarch64" : process.arch;
  return [`bun-${os}-${cpu}`, `bun-${os}-${cpu}-musl`, `bun-${os}-${cpu}-baseline`];
}

export function findBun() {
  const exe = process.platform === "win32" ? "bun.exe" : "bun";
  const modules = join(root, "node_modules");
  const candidates = [
    process.env.FAIRLEAD_BUN,
    ...platformPackages().map((name) => join(modules, "@oven", name, "bin", exe)),
    join(modules, "bun", "bin", "bun.exe"),
  ].filter(Boolean);
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  console.error(
    "fairlead: the Bun runtime is missing. Run `npm ci` in the repository first (it installs Bun from the npm registry).",
  );
  process.exit(1);
}

/** Environment every Bun process of ours needs: without the first, only 256 upstream requests run at once. */
export function bunEnv() {
  return {
    BUN_CONFIG_MAX_HTTP_REQUESTS: "65535",
    BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS: "10",
    ...process.env,
  };
}

export function runBun(args, options = {}) {
  const child = spawn(findBun(), args, { stdio: "inherit", env: bunEnv(), ...options });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 1) : (code ?? 1)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runBun(process.argv.slice(2));
