import { nearNames } from "../lib/near-names.ts";
import { findPreset, presets } from "../upstreams/presets.ts";
import type { Fault } from "./config-error.ts";
import { type ConfigSource, showValue } from "./config-source.ts";
import { invalid } from "./explain-issues.ts";

/** Says what is wrong with an upstream's `preset`, if anything is. */
export function presetFault(upstream: string, preset: string, source: ConfigSource): Fault | undefined {
  if (findPreset(preset) !== undefined) return undefined;
  const at = ["upstreams", upstream, "preset"];
  const known = Object.keys(presets);
  return {
    at,
    ...invalid(showValue(source, at, preset)),
    expected: `one of ${known.join(", ")}`,
    suggestion: nearNames(preset, known)[0],
  };
}
