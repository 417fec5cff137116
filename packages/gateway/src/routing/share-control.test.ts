import { expect, test } from "bun:test";
import { ShareControl } from "./share-control.ts";

/** Numbers in [0, 1) that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 0) / 4_294_967_296;
  };
}

type Stream = (index: number, next: () => number) => number;

const streams: Readonly<Record<string, Stream>> = {
  uniform: (_, next) => next(),
  "in two heaps": (_, next) => (next() < 0.5 ? 0.1 : 0.8) + next() * 0.05,
  constant: () => 0.4,
  "of two values": (_, next) => (next() < 0.9 ? 0.2 : 0.6),
  drifting: (index, next) => index / 4_000 + next() * 0.2,
  falling: (index, next) => 1 - index / 4_000 + next() * 0.2,
  "jumping to another level": (index, next) => (Math.floor(index / 500) % 2 === 0 ? 0.1 : 0.7) + next() * 0.1,
  "within a hair of each other": (_, next) => 0.5 + next() * 1e-9,
};

function cloudShare(control: ShareControl, stream: Stream, total: number): number {
  const next = seeded(7);
  let cloud = 0;
  for (let index = 0; index < total; index++) {
    const { chose } = control.choose(stream(index, next), index * 100);
    if (chose === "cloud" && index >= total / 2) cloud++;
  }
  return cloud / (total / 2);
}

for (const [name, stream] of Object.entries(streams)) {
  test(`30 % of scores ${name} go to cloud, within a point over the second half`, () => {
    const share = cloudShare(new ShareControl({ kind: "cloud-share", share: 0.3 }), stream, 2_000);
    expect(Math.abs(share - 0.3)).toBeLessThanOrEqual(0.01);
  });
}

test("other shares are held too, from one in a hundred to nearly all", () => {
  for (const share of [0.01, 0.1, 0.5, 0.95]) {
    const got = cloudShare(new ShareControl({ kind: "cloud-share", share }), (_, next) => next(), 4_000);
    expect(Math.abs(got - share)).toBeLessThanOrEqual(0.01);
  }
});

test("a share of nothing and of everything are kept without exception", () => {
  for (const share of [0, 1]) {
    expect(cloudShare(new ShareControl({ kind: "cloud-share", share }), (_, next) => next(), 500)).toBe(share);
  }
});

test("what goes to cloud is what scores high", () => {
  const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
  const next = seeded(3);
  const sums = { cloud: [0, 0], local: [0, 0] };
  for (let index = 0; index < 2_000; index++) {
    const score = next();
    const sum = sums[control.choose(score, index).chose];
    sum[0] = (sum[0] ?? 0) + score;
    sum[1] = (sum[1] ?? 0) + 1;
  }
  const mean = ([sum = 0, count = 1]: number[]): number => sum / count;
  // A perfect cut at 0.7 has means of 0.85 and 0.35.
  expect(mean(sums.cloud)).toBeGreaterThan(0.8);
  expect(mean(sums.local)).toBeLessThan(0.38);
});

test("after a jump to scores never seen, few requests too many go to cloud", () => {
  const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
  const next = seeded(5);
  for (let index = 0; index < 1_000; index++) control.choose(next() * 0.2, index);
  let cloud = 0;
  for (let index = 0; index < 100; index++) if (control.choose(0.8 + next() * 0.2, index).chose === "cloud") cloud++;
  expect(cloud).toBeGreaterThan(20);
  expect(cloud).toBeLessThan(40);
});

test("the same scores are chosen alike in every run", () => {
  const run = (): string[] => {
    const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
    const next = seeded(11);
    return Array.from({ length: 300 }, (_, index) => control.choose(next(), index).chose);
  };
  expect(run()).toEqual(run());
});

test("the threshold that a choice names is the one it went by", () => {
  const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
  const next = seeded(13);
  for (let index = 0; index < 200; index++) control.choose(next(), index);
  const high = control.choose(0.999, 200);
  expect(high.chose).toBe("cloud");
  expect(high.threshold).toBeGreaterThan(0.5);
  expect(high.threshold).toBeLessThan(0.9);
});

test("a score that is no number counts as the lowest", () => {
  const control = new ShareControl({ kind: "cloud-share", share: 0.3 });
  const next = seeded(17);
  for (let index = 0; index < 100; index++) control.choose(next(), index);
  expect(control.choose(Number.NaN, 101).chose).toBe("local");
});

interface Traffic {
  readonly dollars: number;
  readonly days: number;
  /** Milliseconds until the next request, by the hour. */
  readonly gapMs: (hour: number) => number;
  readonly costOf: (next: () => number) => number;
}

/** Dollars spent in each day, where costs are known some requests later. */
function spendByDay({ dollars, days, gapMs, costOf }: Traffic): number[] {
  const control = new ShareControl({ kind: "dollars-per-day", dollars });
  const next = seeded(19);
  const spent = new Array<number>(days).fill(0);
  const waiting: number[] = [];
  for (let now = 0; now < days * 86_400_000; now += gapMs((now / 3_600_000) % 24) * (0.5 + next())) {
    if (control.choose(next(), now).chose === "cloud") waiting.push(costOf(next));
    if (waiting.length > 3) {
      const cost = waiting.shift() ?? 0;
      const day = Math.floor(now / 86_400_000);
      spent[day] = (spent[day] ?? 0) + cost;
      control.spent(cost, now);
    }
  }
  return spent;
}

test("dollars per day are spent within 5 %, with costs that vary tenfold and are known late", () => {
  const days = spendByDay({ dollars: 10, days: 3, gapMs: () => 6_000, costOf: (next) => 0.001 + next() * 0.01 });
  for (const spent of days) expect(Math.abs(spent - 10) / 10).toBeLessThanOrEqual(0.05);
});

test("dollars per day are spent within 5 % also when nights are quiet", () => {
  const gapMs = (hour: number): number => (hour < 7 ? 60_000 : 5_000);
  const days = spendByDay({ dollars: 5, days: 4, gapMs, costOf: () => 0.004 });
  for (const spent of days.slice(1)) expect(Math.abs(spent - 5) / 5).toBeLessThanOrEqual(0.05);
});

test("when there is money for everything, everything goes to cloud", () => {
  const spent = spendByDay({ dollars: 1_000, days: 1, gapMs: () => 60_000, costOf: () => 0.01 });
  expect(spent[0]).toBeGreaterThan(0.0095 * 1_440);
});

test("a day's dollars that are spent at once leave nothing for the rest of the day", () => {
  const control = new ShareControl({ kind: "dollars-per-day", dollars: 1 });
  control.choose(0.9, 0);
  control.spent(2, 1);
  for (let minute = 1; minute < 1_400; minute++) expect(control.choose(0.9, minute * 60_000).chose).toBe("local");
});

test("while no cost is known only a few requests go to cloud", () => {
  const control = new ShareControl({ kind: "dollars-per-day", dollars: 1 });
  let cloud = 0;
  for (let index = 0; index < 500; index++) if (control.choose(index % 2, index * 10).chose === "cloud") cloud++;
  expect(cloud).toBeGreaterThan(0);
  expect(cloud).toBeLessThanOrEqual(5);
});

test("looking says what the next choice would be, equal scores included, and changes nothing", () => {
  for (const stream of Object.values(streams)) {
    const [control, unseen] = [0, 1].map(() => new ShareControl({ kind: "cloud-share", share: 0.3 }));
    const next = seeded(9);
    for (let index = 0; index < 500; index++) {
      const score = stream(index, next);
      const seen = control?.peek(score);
      expect(control?.choose(score, index)).toEqual(seen!);
      expect(unseen?.choose(score, index)).toEqual(seen!);
    }
  }
});
