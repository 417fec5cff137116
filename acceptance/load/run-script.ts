import { spawn } from "node:child_process";
import { join } from "node:path";
import { bunCommand, neutralEnv, repository } from "./start-demo.ts";

/** How a script ended and what it wrote. */
export interface ScriptRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script of this repository under Bun, to its end or the deadline. */
export function runScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  deadlineMs = 60_000,
): Promise<ScriptRun> {
  const [command, ...rest] = bunCommand(join(repository, script), ...args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { cwd: repository, env: neutralEnv(env), stdio: ["ignore", "pipe", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGTERM"), deadlineMs);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}
