import { CommandError } from "./command-error.ts";
import { durationSeconds } from "./parse-options.ts";

/** What a report is about. */
export interface ReportOptions {
  readonly groupBy?: string;
  readonly from?: string;
  readonly to?: string;
  /** A time before now, in place of `from`. */
  readonly last?: string;
  readonly timeZone?: string;
  readonly model?: string;
  readonly target?: string;
  readonly placement?: string;
  readonly provider?: string;
  readonly upstream?: string;
  readonly key?: string;
  readonly team?: string;
  readonly user?: string;
  readonly tag?: string;
}

const filters = ["model", "target", "placement", "provider", "upstream", "key", "team", "user", "tag"] as const;

/** Turns options into the query of a report. @throws CommandError */
export function reportQuery(options: ReportOptions, nowMs: number): Record<string, string | undefined> {
  if (options.last !== undefined && options.from !== undefined) {
    throw new CommandError("--last and --from both say when the report begins: give one of them.");
  }
  const from =
    options.last === undefined
      ? options.from
      : new Date(nowMs - durationSeconds(options.last, "--last") * 1000).toISOString();
  return {
    group_by: options.groupBy,
    from,
    to: options.to,
    time_zone: options.timeZone,
    ...Object.fromEntries(filters.map((name) => [name, options[name]])),
  };
}

/** Dimensions of a report in the order asked. */
export function dimensionsOf({ groupBy }: ReportOptions): readonly string[] {
  return (groupBy ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The range a report is about, for people. */
export function rangeText(from: string, to: string): string {
  const text = (iso: string): string => new Date(iso).toISOString().slice(0, 16).replace("T", " ");
  return `${text(from)} to ${text(to)} UTC`;
}
