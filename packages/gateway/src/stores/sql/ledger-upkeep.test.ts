import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/fixtures/fake-clock.ts";
import type { GatewayError } from "../../core/errors.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import { LedgerUpkeep } from "./ledger-upkeep.ts";

const day = 86_400_000;

function start(retentionDays: number) {
  const clock = new FakeClock();
  const calls: string[] = [];
  const alerts: GatewayError[] = [];
  const state = { down: false };
  const told = async (call: string): Promise<number> => {
    if (state.down) throw new Error("down");
    return calls.push(call);
  };
  const ledger = {
    prepareUntil: (untilMs: number) => told(`prepare ${(untilMs - clock.now()) / day}`),
    prune: (beforeMs: number) => told(`prune ${(clock.now() - beforeMs) / day}`),
  } as unknown as LedgerDatabase;
  const directory = {
    pruneAudit: async (beforeMs: number) => void (await told(`audit ${(clock.now() - beforeMs) / day}`)),
  };
  const alert = (error: GatewayError): void => void alerts.push(error);
  return { clock, calls, alerts, state, upkeep: new LedgerUpkeep({ ledger, directory, clock, retentionDays, alert }) };
}

test("once an hour coming days are prepared and old ones deleted, until it is stopped", async () => {
  const { clock, calls, upkeep } = start(400);
  await clock.advance(60_000);
  expect(calls).toEqual(["prepare 3", "prune 400", "audit 400"]);
  await clock.advance(2 * 3_600_000);
  expect(calls).toHaveLength(9);
  upkeep.stop();
  await clock.advance(day);
  expect(calls).toHaveLength(9);
  expect(clock.waiting).toBe(0);
});

test("without retention nothing is deleted", async () => {
  const { clock, calls, upkeep } = start(0);
  await clock.advance(60_000);
  expect(calls).toEqual(["prepare 3"]);
  upkeep.stop();
});

test("a database that is away is told of and tried again an hour later", async () => {
  const { clock, calls, alerts, state, upkeep } = start(1);
  state.down = true;
  await clock.advance(60_000);
  expect(alerts.map(({ code }) => code)).toEqual(["store_unavailable"]);
  state.down = false;
  await clock.advance(3_600_000);
  expect(calls).toEqual(["prepare 3", "prune 1", "audit 1"]);
  upkeep.stop();
});
