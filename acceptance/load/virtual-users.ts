import { durationMs, type Stage } from "./load-options.ts";

/** From `atMs` on, `users` users are wanted. */
export interface RampStep {
  readonly atMs: number;
  readonly users: number;
}

/** Every moment at which straight ramps between the stages' targets change the whole number of users. */
export function rampSteps(stages: readonly Stage[]): RampStep[] {
  const steps: RampStep[] = [];
  let startMs = 0;
  let from = 0;
  for (const { duration, target } of stages) {
    const lengthMs = durationMs(duration);
    const change = Math.abs(target - from);
    const direction = Math.sign(target - from);
    for (let n = 1; n <= change; n++) {
      // On the way up a user starts when its whole is reached, on the way down one leaves as soon as it is not.
      const part = (direction > 0 ? n : n - 1) / change;
      steps.push({ atMs: startMs + lengthMs * part, users: from + direction * n });
    }
    startMs += lengthMs;
    from = target;
  }
  return [...steps, { atMs: startMs, users: 0 }];
}

/** What a user does again and again; the numbers count from 1 for users and from 0 for iterations. */
export type Iteration = (user: number, iteration: number) => Promise<void>;

/** Bounds of a run beyond its stages. */
export interface RunLimits {
  readonly maxIterations: number;
  readonly pauseMs: number;
  /** Ends the run early: no further requests begin. */
  readonly signal: AbortSignal;
}

/**
 * Runs as many users as the stages want. Each repeats `iteration` with a pause in between; one that is no longer
 * wanted finishes its iteration. Resolves when the last has.
 */
export async function runUsers(stages: readonly Stage[], limits: RunLimits, iteration: Iteration): Promise<void> {
  const begun = performance.now();
  const running = new Map<number, { readonly leave: AbortController; readonly done: Promise<void> }>();
  const finished: Promise<void>[] = [];
  let started = 0;

  const user = async (id: number, leave: AbortSignal): Promise<void> => {
    for (let n = 0; !leave.aborted && started < limits.maxIterations; n++) {
      started++;
      await iteration(id, n);
      await pause(limits.pauseMs, leave);
    }
  };
  for (const { atMs, users } of rampSteps(stages)) {
    await pause(begun + atMs - performance.now(), limits.signal);
    if (limits.signal.aborted) break;
    for (let id = 1; id <= users; id++) {
      if (running.has(id)) continue;
      const leave = new AbortController();
      const done = user(id, leave.signal);
      running.set(id, { leave, done });
      finished.push(done);
    }
    for (const [id, { leave }] of running) {
      if (id <= users) continue;
      leave.abort();
      running.delete(id);
    }
  }
  for (const { leave } of running.values()) leave.abort();
  await Promise.all(finished);
}

function pause(ms: number, early?: AbortSignal): Promise<void> {
  if (ms <= 0 || early?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      early?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    early?.addEventListener("abort", finish);
  });
}
