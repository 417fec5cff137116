import { expect, test } from "bun:test";
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
