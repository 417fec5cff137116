import { expect, test } from "bun:test";
import type { Charge, CounterStore, CountWindow, Reservation } from "../../src/ledger/counter-store.ts";

const minute: CountWindow = { kind: "sliding", lengthMs: 60_000 };
const day: CountWindow = { kind: "fixed", startMs: 0, endMs: 86_400_000 };
const nextDay: CountWindow = { kind: "fixed", startMs: 86_400_000, endMs: 172_800_000 };

const charge = (account: string, amount: number, limit: number, window: CountWindow = day): Charge => ({
  account,
  window,
  amount,
  limit,
});

/** What every `CounterStore` must do. `make` returns an empty one. */
export function counterStoreContract(name: string, make: () => CounterStore | Promise<CounterStore>): void {
  const said = (text: string): string => `${name}: ${text}`;
  const reserved = async (store: CounterStore, charges: readonly Charge[], nowMs: number): Promise<Reservation> => {
    const result = await store.reserve(charges, nowMs);
    if (!result.ok) throw new Error(`refused: ${JSON.stringify(result.refusal)}`);
    return result.reservation;
  };

  test(said("a reservation is held until it is settled, then its actual amount stands"), async () => {
    const store = await make();
    const reservation = await reserved(store, [charge("a", 30, 100)], 5);
    expect(await store.read("a", day, 6)).toEqual({ settled: 0, held: 30 });
    expect(reservation.balances).toEqual([{ settled: 0, held: 30 }]);
    expect(await store.settle(reservation, [12])).toEqual([{ settled: 12, held: 0 }]);
    expect(await store.read("a", day, 6)).toEqual({ settled: 12, held: 0 });
  });

  test(said("settled, held and asked may reach the limit and not pass it"), async () => {
    const store = await make();
    await store.settle(await reserved(store, [charge("a", 40, 100)], 1), [40]);
    await reserved(store, [charge("a", 35, 100)], 2);
    const refused = await store.reserve([charge("a", 26, 100)], 3);
    expect(refused).toMatchObject({ ok: false, refusal: { balance: { settled: 40, held: 35 } } });
    await reserved(store, [charge("a", 25, 100)], 4);
  });

  test(said("one charge that does not fit refuses all, and none is reserved"), async () => {
    const store = await make();
    const refused = await store.reserve([charge("a", 1, 10), charge("b", 11, 10), charge("c", 99, 10)], 1);
    expect(refused).toMatchObject({ ok: false, refusal: { charge: { account: "b" } } });
    expect(await store.read("a", day, 1)).toEqual({ settled: 0, held: 0 });
  });

  test(said("two charges on one account count together"), async () => {
    const store = await make();
    expect(await store.reserve([charge("a", 6, 10), charge("a", 5, 10)], 1)).toMatchObject({ ok: false });
    await reserved(store, [charge("a", 6, 10), charge("a", 4, 10)], 1);
    expect(await store.read("a", day, 1)).toEqual({ settled: 0, held: 10 });
  });

  test(said("a limit of infinity only counts"), async () => {
    const store = await make();
    await reserved(store, [charge("a", 1e12, Number.POSITIVE_INFINITY)], 1);
    expect(await store.read("a", day, 1)).toEqual({ settled: 0, held: 1e12 });
  });

  test(said("a certain charge is settled at once and stays when the reservation is settled"), async () => {
    const store = await make();
    const reservation = await reserved(store, [{ ...charge("a", 1, 2, minute), certain: true }], 0);
    expect(await store.read("a", minute, 1)).toEqual({ settled: 1, held: 0 });
    await store.settle(reservation, [0]);
    expect(await store.read("a", minute, 1)).toEqual({ settled: 1, held: 0 });
  });

  test(said("a fixed window ends sharply, and what was reserved in it is settled to it"), async () => {
    const store = await make();
    const late = await reserved(store, [charge("a", 50, 100)], 86_399_999);
    await reserved(store, [charge("a", 80, 100, nextDay)], 86_400_000);
    expect(await store.read("a", nextDay, 86_400_001)).toEqual({ settled: 0, held: 80 });
    await store.settle(late, [60]);
    expect(await store.read("a", nextDay, 86_400_002)).toEqual({ settled: 0, held: 80 });
    expect(await store.read("a", day, 86_400_002)).toEqual({ settled: 60, held: 0 });
  });

  test(said("a refusal by a fixed window tells when the window ends, unless the amount never fits"), async () => {
    const store = await make();
    await reserved(store, [charge("a", 90, 100)], 1_000);
    expect(await store.reserve([charge("a", 20, 100)], 2_000)).toMatchObject({
      ok: false,
      refusal: { retryAfterMs: 86_398_000 },
    });
    const never = await store.reserve([charge("a", 101, 100)], 2_000);
    expect(never.ok || never.refusal.retryAfterMs).toBeUndefined();
  });

  test(said("in a sliding window no 60 seconds ever hold more than the limit"), async () => {
    const store = await make();
    const spend = async (nowMs: number): Promise<boolean> =>
      (await store.reserve([{ ...charge("a", 1, 3, minute), certain: true }], nowMs)).ok;
    const at = 1_000_000_500;
    expect([await spend(at), await spend(at + 10_000), await spend(at + 20_000)]).toEqual([true, true, true]);
    expect(await spend(at + 59_999)).toBe(false);
    // The first leaves with its step of one second, at most a second late.
    expect(await spend(at + 61_000)).toBe(true);
    expect(await spend(at + 61_001)).toBe(false);
    expect(await spend(at + 200_000)).toBe(true);
    expect(await store.read("a", minute, at + 200_000)).toEqual({ settled: 1, held: 0 });
  });

  test(said("a refusal by a sliding window tells when the same amount fits, exactly"), async () => {
    const store = await make();
    const at = 1_000_000_500;
    const one = { ...charge("a", 2, 4, minute), certain: true };
    await reserved(store, [one], at);
    await reserved(store, [one], at + 30_000);
    const refused = await store.reserve([one], at + 40_000);
    const waitMs = refused.ok ? undefined : refused.refusal.retryAfterMs;
    expect(waitMs).toBe(1_000_061_000 - (at + 40_000));
    expect(await store.reserve([one], at + 40_000 + (waitMs ?? 0) - 1)).toMatchObject({ ok: false });
    expect(await store.reserve([one], at + 40_000 + (waitMs ?? 0))).toMatchObject({ ok: true });
  });

  test(said("what runs counts against a concurrency limit until it ends, however long that takes"), async () => {
    const store = await make();
    const first = await reserved(store, [charge("a", 1, 1, minute)], 0);
    expect(await store.reserve([charge("a", 1, 1, minute)], 3_600_000)).toMatchObject({ ok: false });
    await store.settle(first, [0]);
    await reserved(store, [charge("a", 1, 1, minute)], 3_600_001);
  });

  test(said("an amount of an earlier process is booked to its window"), async () => {
    const store = await make();
    store.book("a", day, 70, 10);
    store.book("b", { kind: "sliding", lengthMs: 3_600_000 }, 5, 1_000_000);
    expect(await store.read("a", day, 20)).toEqual({ settled: 70, held: 0 });
    expect(await store.read("b", { kind: "sliding", lengthMs: 3_600_000 }, 2_000_000)).toEqual({ settled: 5, held: 0 });
    expect(await store.reserve([charge("a", 31, 100)], 20)).toMatchObject({ ok: false });
  });

  test(said("a reservation may be settled in parts"), async () => {
    const store = await make();
    const { charges, atMs, balances } = await reserved(store, [charge("a", 5, 10), charge("b", 5, 10)], 1);
    await store.settle({ charges: charges.slice(0, 1), atMs, balances }, [1]);
    expect(await store.read("b", day, 1)).toEqual({ settled: 0, held: 5 });
    await store.settle({ charges: charges.slice(1), atMs, balances }, [2]);
    expect(await store.read("a", day, 1)).toEqual({ settled: 1, held: 0 });
    expect(await store.read("b", day, 1)).toEqual({ settled: 2, held: 0 });
  });
}
