import { execFileSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dumpLedger } from "../setup/ledger-rows.ts";
import { startPostgres } from "../setup/postgres-server.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { numberedWords, type Seen } from "./ask.ts";
import { type Load, startLoad } from "./load.ts";
import type { Stage } from "./stage.ts";

const text = numberedWords(6);
const secret = "for tests only, and long enough for that";
const key = "shared-key-for-tests";
const diskMib = 6;

/** Stops, freezes and brings back the database under load: requests go on, and each has its one row afterwards. */
export async function databaseAway(stage: Stage): Promise<void> {
  const postgres = await startPostgres();
  stage.onEnd(() => postgres.stop());
  const url = postgres.createDatabase();
  const local = await stage.simulator("--flavour", "vllm", "--model", "chat");
  const gateway = await stage.gateway({
    upstreams: { local: { preset: "vllm", baseUrl: `${local.url}/v1`, models: [{ id: "chat" }] } },
    routing: { fallback: [] },
    storage: { url, dir: tempDir() },
    auth: { key, secret },
  });
  const load = loadOn(stage, gateway.url, stage.pick(4, 10), ["answered"]);
  const go = (): Promise<void> => load.more(stage.pick(40, 400));
  await go();
  for (let round = 0; round < stage.pick(1, 3); round++) {
    await postgres.crash();
    await go();
    await postgres.resume();
    await go();
    postgres.freeze();
    try {
      await go();
    } finally {
      postgres.thaw();
    }
    await go();
  }
  const seen = await load.stop();
  await gateway.stop();
  await expectRows(stage, url, seen);
}

/** Fills the disk of the journal and of SQLite under load, and frees it again. */
export async function diskFull(stage: Stage, whenUnwritable: "serve" | "refuse"): Promise<void> {
  const dir = tempDir();
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMib}m`, "none", dir]);
  stage.onEnd(() => execFileSync("umount", ["-l", dir]));
  const local = await stage.simulator("--flavour", "vllm", "--model", "chat");
  const storage = { dir, whenUnwritable };
  const gateway = await stage.gateway({
    upstreams: { local: { preset: "vllm", baseUrl: `${local.url}/v1`, models: [{ id: "chat" }] } },
    routing: { fallback: [] },
    storage,
    auth: { key },
  });
  const serves = whenUnwritable === "serve";
  const load = loadOn(stage, gateway.url, stage.pick(4, 8), serves ? ["answered"] : ["answered", "error"]);
  const isAnswered = ({ end }: Seen): boolean => end === "answered";
  await load.more(20, "answers", isAnswered);
  const filler = join(dir, "filler");
  fill(dir, filler);
  // What stands in a page that is already allotted may still be written for a while.
  if (serves) await load.more(stage.pick(100, 800), "answers", isAnswered);
  else await load.more(20, "refusals", ({ label }) => label === "error 503 ledger_unavailable", 40_000);
  rmSync(filler);
  await load.more(20, "answers with room again", isAnswered, 40_000);
  const seen = await load.stop();
  const others = seen.filter(({ end, label }) => end === "error" && label !== "error 503 ledger_unavailable");
  stage.expect(others.length === 0, `refused otherwise: ${others[0]?.label}`);
  await gateway.stop();
  // Where nothing is served unaccounted for, everything that was served has its row.
  const url = `sqlite:${join(dir, "fairlead.db")}`;
  await expectRows(stage, url, serves ? [] : seen);
}

function fill(dir: string, file: string): void {
  const { bavail, bsize } = statfsSync(dir);
  try {
    writeFileSync(file, Buffer.alloc(bavail * bsize + bsize));
  } catch {
    // The last page was one too many.
  }
}

function loadOn(stage: Stage, url: string, clients: number, honest: readonly Seen["end"][]): Load {
  return startLoad(stage, url, { name: "requests", model: "local/chat", text, key, paceMs: 2, clients, honest });
}

/** Expects one settled row for each answered request, and none twice. */
async function expectRows(stage: Stage, url: string, seen: readonly Seen[]): Promise<void> {
  const { rows, total } = await dumpLedger(url);
  const byId = new Map(rows.map((row) => [row.id, row]));
  stage.expect(byId.size === rows.length, `${rows.length - byId.size} rows that are there twice`);
  const missing = seen.filter(({ end, decisionId }) => {
    const row = byId.get(decisionId ?? "");
    return end === "answered" && (row === undefined || row.orphaned || row.outcome !== "ok");
  });
  stage.expect(missing.length === 0, `${missing.length} answered requests without a settled row`);
  stage.expect(total.requests === rows.length, `a report of ${total.requests} requests over ${rows.length} rows`);
}
