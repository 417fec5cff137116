import { expect, spyOn, test } from "bun:test";
import { TimerWheel } from "./timer-wheel.ts";

/** Runs a wheel on real ticks of one millisecond and waits until `done` fires. */
function wheel(): TimerWheel {
  return new TimerWheel(1, () => performance.now());
}

test("timers fire once, in the order of their time, never early", async () => {
  const timers = wheel();
  const startedMs = performance.now();
  const fired: number[] = [];
  await new Promise<void>((resolve) => {
    timers.after(9, () => {
      fired.push(9);
      resolve();
    });
    timers.after(3, () => fired.push(3));
    timers.after(6, () => fired.push(6));
  });
  expect(fired).toEqual([3, 6, 9]);
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(9);
});

test("a cancelled timer never fires, and cancelling twice changes nothing", async () => {
  const timers = wheel();
  let fired = 0;
  const cancel = timers.after(2, () => fired++);
  cancel();
  cancel();
  await new Promise<void>((resolve) => timers.after(5, resolve));
  expect(fired).toBe(0);
});

test("a timer set while another fires is kept", async () => {
  const timers = wheel();
  await new Promise<void>((resolve) => timers.after(1, () => timers.after(1, resolve)));
  await new Promise<void>((resolve) => timers.after(1, resolve));
});

test("a cancelled timer may not take one of a later run with it", async () => {
  const timers = wheel();
  const cancel = timers.after(1, () => {});
  await new Promise<void>((resolve) => timers.after(2, resolve));
  cancel();
  await new Promise<void>((resolve) => timers.after(1, resolve));
});

/** Runs `body` with a wheel whose clock and ticks are set by hand: `turn` moves to a time and ticks there. */
function byHand(body: (timers: TimerWheel, turn: (ms: number) => void, isRunning: () => boolean) => void): void {
  let nowMs = 0;
  let tick: (() => void) | undefined;
  const set = spyOn(globalThis, "setInterval").mockImplementation(((run: () => void) => {
    tick = run;
    return 1;
  }) as never);
  const clear = spyOn(globalThis, "clearInterval").mockImplementation(() => {
    tick = undefined;
  });
  const turn = (ms: number) => {
    nowMs = ms;
    tick?.();
  };
  try {
    body(new TimerWheel(10, () => nowMs), turn, () => tick !== undefined);
  } finally {
    set.mockRestore();
    clear.mockRestore();
  }
}

test("a timer cancelled by another of the same tick does not fire", () => {
  byHand((timers, turn, isRunning) => {
    const fired: string[] = [];
    const cancels: (() => void)[] = [];
    timers.after(5, () => {
      fired.push("first");
      for (const cancel of cancels) cancel();
    });
    cancels.push(timers.after(5, () => fired.push("same tick")));
    cancels.push(timers.after(15, () => fired.push("later tick")));
    turn(30);
    expect(fired).toEqual(["first"]);
    expect(isRunning()).toBe(false);
  });
});

test("a timer that throws takes no other with it, and its error comes out", () => {
  byHand((timers, turn, isRunning) => {
    const fired: string[] = [];
    const boom = (): void => {
      throw new Error("boom");
    };
    timers.after(5, boom);
    timers.after(5, () => fired.push("same tick"));
    timers.after(15, () => fired.push("next tick"));
    timers.after(95, () => fired.push("late"));
    expect(() => turn(30)).toThrow("boom");
    expect(fired).toEqual(["same tick", "next tick"]);
    expect(isRunning()).toBe(true);
    turn(100);
    expect(fired).toEqual(["same tick", "next tick", "late"]);
    expect(isRunning()).toBe(false);

    timers.after(5, boom);
    timers.after(5, boom);
    expect(() => turn(200)).toThrow(AggregateError);
    expect(isRunning()).toBe(false);
  });
});

test("a timer due at once fires on the next tick, also when set on a tick's very edge", () => {
  byHand((timers, turn) => {
    const fired: string[] = [];
    timers.after(10, () => {
      fired.push("edge");
      timers.after(0, () => fired.push("at once"));
    });
    timers.after(100, () => {});
    turn(10);
    expect(fired).toEqual(["edge"]);
    turn(20);
    expect(fired).toEqual(["edge", "at once"]);
  });
});
