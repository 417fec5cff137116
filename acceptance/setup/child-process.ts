import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bunEnv, findBun } from "../../scripts/bun.mjs";
import { afterAll } from "./after-all.ts";

export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** How a process ended: its exit code, or the signal's name. */
export type Ending = number | NodeJS.Signals | null;

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Longest wait between SIGTERM and SIGKILL. */
const killAfterMs = 5_000;

/** What the developer's own shell may hold and a test must not depend on. */
const foreign =
  /_API_KEY$|_PROXY$|^VLLM_|^LOCAL_|^LOG_LEVEL$|^FAIRLEAD_(?!BUN$)|^ROUTER_URL$|^TEST_COLD_START$|^VITEST|^NODE_(?:ENV|OPTIONS)$/i;

function cleanEnv(extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const kept = Object.entries(bunEnv()).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(kept), ...extra };
}

/** A process of ours with everything it wrote; one that still runs when the test file ends is stopped. */
export class Child {
  readonly process: ChildProcess;
  /** Resolves when the process is gone and its output is read. */
  readonly ended: Promise<Ending>;
  stdout = "";
  stderr = "";
  #over = false;
  readonly #waiting = new Set<() => void>();
  readonly #command: string;

  constructor(command: string, args: readonly string[], options: ChildOptions = {}) {
    this.#command = [command, ...args].join(" ");
    this.process = spawn(command, [...args], {
      cwd: options.cwd ?? repository,
      env: cleanEnv(options.env ?? {}),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#wake();
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#wake();
    });
    this.ended = new Promise((resolve, reject) => {
      this.process.once("error", reject);
      this.process.once("close", (code, signal) => {
        this.#over = true;
        this.#wake();
        resolve(code ?? signal);
      });
    });
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Everything written so far, for a failure message. */
  get transcript(): string {
    return `$ ${this.#command}\n--- stdout\n${this.stdout.slice(-8_000)}\n--- stderr\n${this.stderr.slice(-8_000)}`;
  }

  /** Standard output as JSON lines; other lines are left out. */
  get records(): Record<string, unknown>[] {
    return this.stdout.split("\n").flatMap((line) => {
      if (!line.startsWith("{")) return [];
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        return [];
      }
    });
  }

  /** Resolves with the first value `look` finds; looks again at every output. Rejects at the end or the deadline. */
  until<T>(look: (child: Child) => T | undefined, what: string, timeoutMs = 10_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(again);
        act();
      };
      const fail = (why: string): void =>
        finish(() => reject(new Error(`${why} while waiting for ${what}\n${this.transcript}`)));
      const again = (): void => {
        const found = look(this);
        if (found !== undefined) finish(() => resolve(found));
        else if (this.#over) fail("The process ended");
      };
      const timer = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs);
      this.#waiting.add(again);
      again();
    });
  }

  /** The first JSON line on standard output that matches. */
  record(
    matches: (record: Record<string, unknown>) => boolean,
    what: string,
    timeoutMs?: number,
  ): Promise<Record<string, unknown>> {
    return this.until((child) => child.records.find(matches), what, timeoutMs);
  }

  async stop(): Promise<Ending> {
    if (!this.#over) this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), killAfterMs);
    const ending = await this.ended.catch(() => null);
    clearTimeout(timer);
    return ending;
  }

  #wake(): void {
    for (const again of [...this.#waiting]) again();
  }
}

const children = new Set<Child>();

/** Starts a Bun program of this repository; it is stopped when the test file ends. */
export function startBun(script: string, args: readonly string[], options: ChildOptions = {}): Child {
  const child = new Child(findBun(), [join(repository, script), ...args], options);
  children.add(child);
  return child;
}

/** Runs a Bun program to its end. */
export async function runBun(
  script: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<{ ending: Ending; stdout: string; stderr: string }> {
  const child = startBun(script, args, options);
  const timer = setTimeout(() => child.process.kill("SIGKILL"), 15_000);
  const ending = await child.ended;
  clearTimeout(timer);
  return { ending, stdout: child.stdout, stderr: child.stderr };
}

afterAll(async () => {
  await Promise.all([...children].map((child) => child.stop()));
  children.clear();
});
