import { join } from "node:path";
import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { expect, test } from "vitest";
import { seeded } from "../../packages/gateway/test/fixtures/ledger-rows.ts";
import { postChat, say } from "../setup/clients.ts";
import { type GatewayProcess, startGateway } from "../setup/gateway-process.ts";
import { dumpLedger } from "../setup/ledger-rows.ts";
import { hasPostgres, startPostgres } from "../setup/postgres-server.ts";
import { testWith } from "../setup/requires.ts";
import { localModel } from "../setup/rig.ts";
import { type SimulatorProcess, startSimulator } from "../setup/simulator-process.ts";
import { tempDir } from "../setup/temp-dir.ts";

const lanes = 12;
const timeoutMs = 90_000;
/** A key from the config: it is known also where the database cannot be asked for others. */
const key = "shared-key-for-tests";

interface Clients {
  /** Ids of answers that arrived whole. */
  readonly answered: Set<string>;
  /** Resolves when so many more answers arrived. */
  more(count: number): Promise<void>;
  /** Resolves when every lane has ended. */
  stop(): Promise<void>;
}

/** Asks in many lanes, every second time for a stream, and goes on whatever becomes of an answer. */
function startClients(gateway: GatewayProcess): Clients {
  const answered = new Set<string>();
  const waiting = new Set<() => void>();
  let stopped = false;
  const ask = async (stream: boolean): Promise<void> => {
    const response = await postChat(gateway.url, say("[[sim:tokens=6]][[sim:pace=4]]", { model: "local", stream }), {
      authorization: `Bearer ${key}`,
    });
    const text = await response.text();
    const id = response.headers.get("x-router-decision-id");
    if (response.ok && id !== null && (!stream || text.includes("[DONE]"))) answered.add(id);
    for (const look of waiting) look();
  };
  const lane = async (index: number): Promise<void> => {
    for (let turn = index; !stopped; turn++) {
      await ask(turn % 2 === 0).catch(() => {
        stopped ||= gateway.child.process.killed;
      });
    }
  };
  const running = Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  return {
    answered,
    more(count) {
      const goal = answered.size + count;
      return new Promise((resolve) => {
        const look = (): void => {
          if (answered.size < goal) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
      });
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}

function configFor(local: SimulatorProcess, dir: string, url: string): FairleadConfigInput {
  const models = [{ id: localModel, contextWindow: 32_768 }];
  return {
    upstreams: { vllm: { preset: "vllm", baseUrl: `${local.url}/v1`, models } },
    storage: { url, dir },
    auth: { key, secret: "for tests only, and long enough for that" },
  };
}

/** Expects each answer once and settled, and a row for everything an upstream was asked. */
async function expectEveryAnswer(url: string, answered: ReadonlySet<string>, local: SimulatorProcess): Promise<void> {
  const { rows, total } = await dumpLedger(url);
  const byId = new Map(rows.map((row) => [row.id, row]));
  expect(byId.size).toBe(rows.length);
  const wrong = [...answered].filter((id) => {
    const row = byId.get(id);
    return row === undefined || row.orphaned || row.outcome !== "ok" || row.usage.outputTokens !== 6;
  });
  expect(wrong, "answered requests that are missing or not settled").toEqual([]);
  expect(rows.length).toBeGreaterThanOrEqual((await local.generations()).length);
  expect(total.requests).toBe(rows.length);
}

async function killUnderLoad(url: (dir: string) => string): Promise<void> {
  const random = seeded(7);
  const dir = tempDir();
  const local = await startSimulator("--flavour", "vllm", "--model", `${localModel}@32768`);
  const config = configFor(local, dir, url(dir));
  const answered = new Set<string>();
  for (let kill = 0; kill < 3; kill++) {
    const gateway = await startGateway({ config });
    const clients = startClients(gateway);
    await clients.more(30 + Math.floor(random() * 250));
    gateway.child.process.kill("SIGKILL");
    expect(await gateway.child.ended).toBe("SIGKILL");
    await clients.stop();
    for (const id of clients.answered) answered.add(id);
  }
  const last = await startGateway({ config });
  const clients = startClients(last);
  await clients.more(50);
  await clients.stop();
  for (const id of clients.answered) answered.add(id);
  expect(await last.stop()).toBe(0);
  // The last one may have ended before all that the killed ones left was stored: one more start, one more end.
  expect(await (await startGateway({ config })).stop()).toBe(0);
  await expectEveryAnswer(url(dir), answered, local);
}

test(
  "a gateway killed under load has a settled row for every answer, in SQLite",
  () => killUnderLoad((dir) => `sqlite:${join(dir, "ledger.sqlite")}`),
  timeoutMs,
);

testWith(
  "postgres",
  hasPostgres,
  "a gateway killed under load has a settled row for every answer, in PostgreSQL",
  async () => {
    const server = await startPostgres();
    const database = server.createDatabase();
    await killUnderLoad(() => database);
  },
  timeoutMs,
);

testWith(
  "postgres",
  hasPostgres,
  "with PostgreSQL stopped, before its start and later, a gateway serves on and its ledger is complete afterwards",
  async () => {
    const server = await startPostgres();
    const url = server.createDatabase();
    const dir = tempDir();
    const local = await startSimulator("--flavour", "vllm", "--model", `${localModel}@32768`);
    await server.crash();
    const gateway = await startGateway({ config: configFor(local, dir, url) });
    const clients = startClients(gateway);
    await clients.more(100);
    await server.resume();
    await clients.more(100);
    await server.crash();
    await clients.more(100);
    await server.resume();
    await clients.more(100);
    await clients.stop();
    expect(await gateway.stop()).toBe(0);
    expect(await (await startGateway({ config: configFor(local, dir, url) })).stop()).toBe(0);
    await expectEveryAnswer(url, clients.answered, local);
  },
  timeoutMs,
);
