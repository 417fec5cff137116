// Runs the black-box suites: against the gateway at ROUTER_URL, or against one that the suites start themselves.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const passed = process.argv.slice(2);
const mode = passed.includes("--watch") ? [] : ["run"];
const rest = passed.filter((argument) => argument !== "--watch");
const args = [join(root, "node_modules/vitest/vitest.mjs"), ...mode, "--root", "acceptance", ...rest];
const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));
