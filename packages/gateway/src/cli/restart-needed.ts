import type { FairleadConfig } from "@fairlead/contract/config-schema";
import { diffValues } from "../config/diff-configs.ts";

/** The parts of a config that are read once, at the start. */
const readOnce =
  /^(server\.(host|port|workers|watchConfig)|storage|shared|auth\.(secret|jwt)|admin|routing\.breaker\.windowMs)\b/;

/** Paths at which a config differs from the one a process started with, and that hold only after a restart. */
export function restartNeeded(started: FairleadConfig, next: FairleadConfig): readonly string[] {
  return diffValues(started, next)
    .map(({ path }) => path)
    .filter((path) => readOnce.test(path));
}
