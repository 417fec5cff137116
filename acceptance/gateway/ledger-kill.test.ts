import { join } from "node:path";
import { expect, test } from "vitest";
import { seeded } from "../../packages/gateway/test/fixtures/ledger-rows.ts";
import { expectComplete, LedgerWitness, startLedgerLoad } from "../setup/ledger-load.ts";
import { hasPostgres, startPostgres } from "../setup/postgres-server.ts";
import { testWith } from "../setup/requires.ts";
import { tempDir } from "../setup/temp-dir.ts";

const lanes = 8;
const kills = 5;

/** Kills a loaded process again and again at any moment, then lets one end well. */
async function killUnderLoad(dir: string, url: string): Promise<void> {
  const random = seeded(20_261_121);
  const witness = new LedgerWitness();
  for (let kill = 0; kill < kills; kill++) {
    const child = startLedgerLoad(dir, url, lanes);
    const enough = 500 + random() * 200_000;
    await child.until(({ stdout }) => (stdout.length > enough ? true : undefined), "load", 15_000);
    child.process.kill("SIGKILL");
    expect(await child.ended).toBe("SIGKILL");
    witness.hear(child, lanes);
  }
  const last = startLedgerLoad(dir, url, lanes);
  await last.record(({ event }) => event === "recovered", "recovery", 15_000);
  last.process.kill("SIGTERM");
  const { status } = await last.record(({ event }) => event === "closed", "the end");
  expect(status).toMatchObject({ queued: 0, dropped: 0, rejected: 0 });
  expect(await last.ended).toBe(0);
  witness.hear(last, lanes);
  expect(witness.answered.size).toBeGreaterThan(1_000);
  const { orphans } = await expectComplete(url, witness);
  // Or no kill hit a running exchange, and this test showed nothing of them.
  expect(orphans).toBeGreaterThan(0);
}

test("killed under load, a ledger in SQLite has every answered exchange once", async () => {
  const dir = tempDir();
  await killUnderLoad(dir, `sqlite:${join(dir, "ledger.sqlite")}`);
}, 90_000);

testWith(
  "postgres",
  hasPostgres,
  "killed under load, a ledger in PostgreSQL has every answered exchange once",
  async () => {
    const server = await startPostgres();
    await killUnderLoad(tempDir(), server.createDatabase());
  },
  90_000,
);
