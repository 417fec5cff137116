import { expect, test } from "bun:test";
import { catalogue } from "../../test/fixtures/deployments.ts";
import { regionRank } from "./region-rank.ts";

const plain = catalogue([]);
const told = catalogue([], {}, { nearRegions: new Map([["eu-west", ["us-east", "ap-south"]]]) });

/** Regions from the nearest to the farthest. */
const ranked = (regions: readonly (string | undefined)[], known = plain) =>
  regions
    .map((region) => ({ region, rank: regionRank("eu-west", region, known) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ region }) => region);

test("the same region is nearest, then one that begins alike, then an unknown one, then the rest", () => {
  const order = ["eu-west", "eu-central", undefined, "us-east"];
  expect(ranked([...order].reverse())).toEqual(order);
});

test("regions that are equally far are equal", () => {
  expect(regionRank("eu-west", "us-east", plain)).toBe(regionRank("eu-west", "ap-south", plain));
  expect(regionRank("eu-west", "eu-north", plain)).toBe(regionRank("eu-west", "eu-central", plain));
});

test("where the config says what is near, names say nothing", () => {
  const order = ["eu-west", "us-east", "ap-south", undefined, "eu-central"];
  expect(ranked([...order].reverse(), told)).toEqual(order);
});

test("what is said of one region says nothing of another", () => {
  expect(regionRank("us-west", "us-east", told)).toBeLessThan(regionRank("us-west", undefined, told));
});
