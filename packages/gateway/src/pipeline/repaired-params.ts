import type { Repair } from "../core/errors.ts";

/** What repairs changed of the client's request beyond what they dropped or renamed, for `X-Router-Dropped`. */
export function repairedParams(repairs: readonly Repair[]): readonly string[] {
  return repairs.flatMap((repair) => {
    if (repair.type === "max-tokens") return ["max_tokens"];
    return repair.type === "strip-thinking" ? ["thinking_blocks"] : [];
  });
}
