import type { Catalogue } from "../core/gateway-model.ts";

/**
 * How far a region is from the one a request belongs to: 0 the same, then those the config calls near, then those of the
 * same first part of the name (`eu-…`), then unknown ones, then the rest.
 */
export function regionRank(wanted: string, region: string | undefined, { nearRegions }: Catalogue): number {
  if (region === wanted) return 0;
  const near = nearRegions.get(wanted);
  const listed = region === undefined ? -1 : (near?.indexOf(region) ?? -1);
  if (listed >= 0) return 1 + listed;
  const behind = 1 + (near?.length ?? 0);
  if (region === undefined) return behind + 1;
  return near === undefined && region.split("-")[0] === wanted.split("-")[0] ? behind : behind + 2;
}
