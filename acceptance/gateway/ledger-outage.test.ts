import { expect } from "vitest";
import type { Child } from "../setup/child-process.ts";
import { expectComplete, LedgerWitness, startLedgerLoad } from "../setup/ledger-load.ts";
import { hasPostgres, startPostgres } from "../setup/postgres-server.ts";
import { testWith } from "../setup/requires.ts";
import { tempDir } from "../setup/temp-dir.ts";

const lanes = 2;

/** Waits until so many more exchanges were answered. */
async function more(child: Child, exchanges: number): Promise<void> {
  const answered = (): number => child.stdout.split("\nanswered ").length;
  const before = answered();
  await child.until(() => (answered() >= before + exchanges ? true : undefined), "more exchanges", 15_000);
}

testWith(
  "postgres",
  hasPostgres,
  "exchanges go on while PostgreSQL is stopped or hangs, and all of them arrive",
  async () => {
    const server = await startPostgres();
    const url = server.createDatabase();
    const dir = tempDir();
    const witness = new LedgerWitness();

    const child = startLedgerLoad(dir, url, lanes);
    await more(child, 200);
    await server.crash();
    await child.until(({ stdout }) => (stdout.includes("alert store_unavailable") ? true : undefined), "an alert");
    // More than memory holds in that program, so that the journal has to be read back.
    await more(child, 1_000);
    await server.resume();
    await more(child, 200);
    server.freeze();
    await more(child, 1_000);
    server.thaw();
    await more(child, 200);
    child.process.kill("SIGTERM");
    expect(await child.ended).toBe(0);
    witness.hear(child, lanes);

    // Whatever the first could not bring home in time, the next one does.
    const next = startLedgerLoad(dir, url, lanes);
    await next.record(({ event }) => event === "recovered", "recovery", 15_000);
    next.process.kill("SIGTERM");
    expect(await next.ended).toBe(0);
    witness.hear(next, lanes);
    await expectComplete(url, witness);
  },
  90_000,
);
