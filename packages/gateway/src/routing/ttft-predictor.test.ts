import { describe, expect, test } from "bun:test";
import { type Surroundings, TtftPredictor } from "./ttft-predictor.ts";

const at = (nowMs: number, slots?: number, others = 0): Surroundings => ({ nowMs, slots, others, inTurn: true });

/** Lets one stream after another run alone: `base + perToken × tokens` to the first token, then `decodeMs`. */
function teach(
  predictor: TtftPredictor,
  times: number,
  { base = 50, perToken = 0.1, decodeMs = 1_000, tokens = [100, 1_000] as readonly number[], slots = 4 },
): void {
  for (let i = 0; i < times; i++) {
    const prompt = tokens[i % tokens.length] ?? 0;
    const work = predictor.begin(prompt, true, at(0, slots));
    const firstMs = base + perToken * prompt;
    predictor.firstToken(work, at(firstMs, slots));
    predictor.end(work, true, firstMs + decodeMs);
  }
}

describe("on an idle deployment", () => {
  test("nothing is predicted while nothing was measured", () => {
    const predictor = new TtftPredictor();
    expect(predictor.predict(100, at(0, 4))).toBeUndefined();
    const work = predictor.begin(100, true, at(0, 4));
    expect(predictor.predict(100, at(10, 4))).toBeUndefined();
    predictor.end(work, false, 20);
    expect(predictor.predict(100, at(30, 4))).toBeUndefined();
  });

  test("base and time per uncached token are told apart, so a warm prompt is predicted to be faster", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    expect(predictor.predict(0, at(0, 4))).toBeCloseTo(50, -1);
    expect(predictor.predict(2_000, at(0, 4))).toBeCloseTo(250, -1);
  });

  test("prompts of one length teach no price of a token", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 5, { tokens: [400] });
    expect(predictor.predict(400, at(0, 4))).toBeCloseTo(90);
    expect(predictor.predict(4_000, at(0, 4))).toBeCloseTo(90);
  });

  test("a change of speed is followed within some dozens of requests", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 100, {});
    teach(predictor, 100, { base: 200, perToken: 0.5 });
    expect(predictor.predict(1_000, at(0, 4)) ?? 0).toBeGreaterThan(650);
    teach(predictor, 100, {});
    expect(predictor.predict(1_000, at(0, 4)) ?? 0).toBeLessThan(180);
  });
});

describe("on a busy deployment", () => {
  test("prompts that are still being read are read first", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    const idle = predictor.predict(100, at(0, 4)) ?? 0;
    const first = predictor.begin(5_000, true, at(0, 4));
    expect(Math.abs((predictor.predict(100, at(0, 4)) ?? 0) - idle - 500)).toBeLessThan(20);
    predictor.firstToken(first, at(550, 4));
    expect(predictor.predict(100, at(550, 4)) ?? 0).toBeLessThan(idle + 50);
  });

  test("full slots make a request wait as long as it takes to empty them, in proportion to the queue", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 40, { slots: 2 });
    const idle = predictor.predict(100, at(0, 2)) ?? 0;
    const two = [predictor.begin(100, true, at(0, 2)), predictor.begin(100, true, at(0, 2))];
    for (const work of two) predictor.firstToken(work, at(60, 2));
    const one = (predictor.predict(100, at(60, 2)) ?? 0) - idle;
    // Two slots of about 1,100 ms each: one empties every 550 ms.
    expect(one).toBeGreaterThan(450);
    expect(one).toBeLessThan(650);
    predictor.begin(100, true, at(60, 2));
    expect((predictor.predict(100, at(60, 2)) ?? 0) - idle).toBeCloseTo(2 * one, -1);
  });

  test("requests of others on the same engine fill its slots too", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, { slots: 2 });
    const idle = predictor.predict(100, at(0, 2)) ?? 0;
    expect((predictor.predict(100, at(0, 2, 4)) ?? 0) - idle).toBeGreaterThan(1_000);
  });

  test("waits that turn out longer than predicted raise the next prediction at once", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, { slots: 1 });
    const running = predictor.begin(100, true, at(0, 1));
    predictor.firstToken(running, at(60, 1));
    const before = predictor.predict(100, at(60, 1)) ?? 0;
    const waiting = predictor.begin(100, true, at(60, 1));
    predictor.end(running, false, 5_000);
    predictor.firstToken(waiting, at(60 + 4 * before, 1));
    expect(predictor.predict(100, at(60 + 4 * before, 1)) ?? 0).toBeGreaterThan(1.5 * before);
  });

  test("a first token that is overdue delays whoever would come after it, before it has come", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    const idle = predictor.predict(100, at(0, 4)) ?? 0;
    const stuck = predictor.begin(0, true, at(0, 4));
    expect(predictor.predict(100, at(3_000, 4)) ?? 0).toBeGreaterThan(2_900);
    predictor.end(stuck, false, 3_000);
    expect(predictor.predict(100, at(3_000, 4))).toBeCloseTo(idle);
  });

  test("one that others overtake says nothing of the queue", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    predictor.begin(0, true, at(0, 4));
    const second = predictor.begin(0, true, at(0, 4));
    predictor.begin(0, true, at(2_900, 4));
    expect(predictor.predict(0, at(3_000, 4)) ?? 0).toBeGreaterThan(2_500);
    predictor.firstToken(second, at(3_000, 4));
    expect(predictor.predict(0, at(3_000, 4)) ?? 0).toBeLessThan(300);
    expect(predictor.inFlight).toBe(3);
  });
});

describe("in the cloud", () => {
  const cloud = (nowMs: number): Surroundings => ({ nowMs, slots: undefined, others: 0, inTurn: false });

  test("neither prompts that are being read nor a late answer delay the next request", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    const idle = predictor.predict(100, cloud(0)) ?? 0;
    for (let i = 0; i < 5; i++) predictor.begin(9_000, true, cloud(0));
    expect(predictor.predict(100, cloud(9_000))).toBeCloseTo(idle);
  });

  test("an answer that was slow for once proves no lack of slots", () => {
    const predictor = new TtftPredictor();
    teach(predictor, 20, {});
    const works = Array.from({ length: 6 }, () => predictor.begin(100, true, cloud(0)));
    for (const work of works) predictor.firstToken(work, cloud(3_000));
    expect(predictor.slots(undefined)).toBeUndefined();
  });
});

describe("slots that nobody told", () => {
  /** An engine with so many slots, each taken for a second; requests come `everyMs`. */
  function drive(predictor: TtftPredictor, slots: number, everyMs: number, times: number): void {
    const freeAt = new Array<number>(slots).fill(0);
    const events: { atMs: number; act: () => void }[] = [];
    for (let i = 0; i < times; i++) {
      const nowMs = i * everyMs;
      events.push({
        atMs: nowMs,
        act() {
          const work = predictor.begin(100, true, at(nowMs));
          const slot = freeAt.indexOf(Math.min(...freeAt));
          const firstMs = Math.max(nowMs, freeAt[slot] ?? 0) + 50;
          freeAt[slot] = firstMs + 1_000;
          insert(firstMs, () => predictor.firstToken(work, at(firstMs)));
          insert(firstMs + 1_000, () => predictor.end(work, true, firstMs + 1_000));
        },
      });
    }
    const insert = (atMs: number, act: () => void): void => {
      const before = events.findIndex((event) => event.atMs > atMs);
      events.splice(before === -1 ? events.length : before, 0, { atMs, act });
    };
    for (let next = events.shift(); next !== undefined; next = events.shift()) next.act();
  }

  test("they stay unknown while nobody has to wait", () => {
    const predictor = new TtftPredictor();
    drive(predictor, 8, 400, 50);
    expect(predictor.slots(undefined)).toBeUndefined();
  });

  test("one that began alone waited for nobody, however late it is: it may have loaded the model", () => {
    const predictor = new TtftPredictor();
    for (let i = 0; i < 20; i++) {
      const work = predictor.begin(100, true, at(0));
      predictor.firstToken(work, at(50));
      predictor.end(work, true, 1_000);
    }
    const cold = predictor.begin(100, true, at(2_000));
    const behind = [1, 2].map(() => predictor.begin(100, false, at(2_100)));
    predictor.firstToken(cold, at(9_000));
    expect(predictor.slots(undefined)).toBeUndefined();
    for (const work of behind) predictor.end(work, false, 9_500);
  });

  test("they are found by watching who had to wait", () => {
    const predictor = new TtftPredictor();
    drive(predictor, 3, 250, 60);
    expect(predictor.slots(undefined)).toBe(3);
    expect(predictor.slots(16)).toBe(16);
  });

  test("an engine that got more of them is found out", () => {
    const predictor = new TtftPredictor();
    drive(predictor, 2, 400, 60);
    expect(predictor.slots(undefined)).toBe(2);
    drive(predictor, 8, 160, 60);
    expect(predictor.slots(undefined) ?? 0).toBeGreaterThanOrEqual(6);
  });
});

test("where only whole answers are seen, waits that were too long count on top, not as time at work", () => {
  const predictor = new TtftPredictor();
  const whole = (beganMs: number) => predictor.begin(10, false, at(beganMs, 1));
  predictor.end(whole(0), true, 1_000);
  const running = whole(1_000);
  expect(predictor.predict(10, at(1_000, 1))).toBeCloseTo(1_000);
  const waiting = whole(1_000);
  predictor.end(running, false, 2_000);
  predictor.end(waiting, true, 5_000);
  whole(5_000);
  const next = predictor.predict(10, at(5_000, 1)) ?? 0;
  // Three seconds were waited where one was predicted: 0.3 of the difference counts at once.
  expect(next).toBeGreaterThan(1_400);
  expect(next).toBeLessThan(1_700);
});

test("work that ended, whichever way and however often it is told, leaves nothing in flight", () => {
  const predictor = new TtftPredictor();
  const works = [true, true, false].map((streams) => predictor.begin(100, streams, at(0, 4)));
  expect(predictor.inFlight).toBe(3);
  const [first, second, whole] = works;
  if (first === undefined || second === undefined || whole === undefined) throw new Error("three were begun");
  predictor.firstToken(first, at(10, 4));
  predictor.firstToken(first, at(20, 4));
  predictor.end(first, true, 30);
  predictor.end(second, false, 30);
  predictor.end(whole, true, 30);
  expect(predictor.inFlight).toBe(0);
});
