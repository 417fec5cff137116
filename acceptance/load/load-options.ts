import { latencyMetric } from "./backend-metrics.ts";

/** A ramp to `target` users that takes `duration`, in k6's notation. */
export interface Stage {
  readonly duration: string;
  readonly target: number;
}

/** What k6 calls `options`; the runner without k6 reads the same object. */
export interface LoadOptions {
  readonly stages: Stage[];
  readonly thresholds: Record<string, string[]>;
}

/** Longest wait for one answer. */
export const requestTimeoutSeconds = 30;
/** Pause of a user between an answer and the next request. */
export const pauseSeconds = 1;

/** The load test at full length: five minutes, 30 users at most. */
export const loadOptions: LoadOptions = {
  stages: [
    { duration: "1m", target: 10 },
    { duration: "3m", target: 30 },
    { duration: "1m", target: 0 },
  ],
  thresholds: {
    http_req_failed: ["rate<0.01"],
    http_req_duration: ["p(95)<10000"],
    [latencyMetric.local]: ["p(95)<4000"],
    [latencyMetric.cloud]: ["p(95)<12000"],
  },
};

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a k6 duration such as `90s`, `1m` or `1m30s`. */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new Error(`"${text}" is not a duration such as 90s or 1m30s`);
  }
  return parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ""] ?? 0), 0);
}

/** The same options with shorter or longer stages; users, pauses, limits and thresholds stay. */
export function scaleStages(options: LoadOptions, scale: number): LoadOptions {
  if (!(scale > 0)) throw new Error("the scale must be a number above 0");
  const stages = options.stages.map(({ duration, target }) => ({
    duration: `${Math.max(1, Math.round(durationMs(duration) * scale))}ms`,
    target,
  }));
  return { ...options, stages };
}
