import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bunEnv, findBun } from "../../scripts/bun.mjs";
import { cpuSeconds } from "../overhead/measure.ts";
import { seededRandom } from "../quality/seeded-random.ts";
import { peakMb, residentMb, slopePerMinute, socketsOf } from "./process-figures.ts";
import { newTally, SoakClient, type Tally } from "./soak-client.ts";

/**
 * Keeps thousands of paced streams open through a gateway with a key, a limit, a budget and a ledger, while upstreams cut,
 * stall and fail and clients leave, and tells whether anything grew, was lost or went unaccounted for.
 */
const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    streams: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    faults: { type: "string", default: "0.05" },
    leave: { type: "string", default: "0.05" },
    seconds: { type: "string", default: "60" },
  },
});
const root = join(import.meta.dir, "../..");
const minutes = Number(values.minutes);
const streams = Number(values.streams);
const rampMs = Math.min(60_000, minutes * 10_000);
const sampleMs = Math.min(5_000, minutes * 1_000);

interface Started {
  readonly process: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly url: string;
}

async function start(command: string[], env: Record<string, string | undefined> = {}): Promise<Started> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...bunEnv(), ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${command.join(" ")} ended: ${text}`);
    text += decoder.decode(value, { stream: true });
    const url = /"url":"([^"]+)"/.exec(text)?.[1];
    if (url === undefined) continue;
    // The rest is read and dropped: a full pipe would stop the process.
    void (async () => {
      while (!(await reader.read()).done);
    })();
    return { process: child, url };
  }
}

const folder = mkdtempSync(join(tmpdir(), "fairlead-soak-"));
const dir = join(folder, "data");
const config = join(folder, "fairlead.yaml");
const upstream = await start([findBun(), join(root, "bench/soak/paced-upstream.ts")]);
writeFileSync(
  config,
  `storage: { dir: "${dir}" }
auth: { required: true }
pricing: { overrides: [{ model: soak, input: 1, output: 2 }] }
budgets: { total: { scope: total, limitUsd: 1000000 } }
limits: { key: { scope: { key: "*" }, requestsPerMinute: 100000000, tokensPerMinute: 1000000000000, concurrency: 100000 } }
routing: { balance: least_in_flight, breaker: { failures: 1000, failureRate: 1 } }
upstreams:
  one: { placement: local, protocol: openai-chat, baseUrl: "${upstream.url}/v1", models: [{ id: soak }], timeouts: { idleMs: 5000, totalMs: 900000 } }
  two: { placement: local, protocol: openai-chat, baseUrl: "${upstream.url}/v1", models: [{ id: soak }], timeouts: { idleMs: 5000, totalMs: 900000 } }
`,
);
const main = join(root, "packages/gateway/src/main.ts");
const gateway = await start([findBun(), main, "serve", "--json", "--config", config, "--port", "0"], {
  FAIRLEAD_DATA: dir,
  // As in the image: the collector sizes its heap as for a small machine.
  BUN_JSC_forceRAMSize: "268435456",
});
const { pid } = gateway.process;
const { hostname: host, port } = new URL(gateway.url);

const made = await fetch(`${gateway.url}/admin/v1/keys`, {
  method: "POST",
  headers: {
    "content-type": "application/json",
    authorization: `Bearer ${readFileSync(join(dir, "admin-token"), "utf8").trim()}`,
  },
  body: JSON.stringify({ name: "soak" }),
});
const { key } = (await made.json()) as { key: string };

interface Idle {
  readonly sockets: number;
  readonly sizes: Readonly<Record<string, number>>;
  readonly settled: number;
}

/** What a gateway holds when nothing runs, once it has come to rest. */
async function atRest(): Promise<Idle> {
  let before = "";
  for (let tries = 0; tries < 60; tries++) {
    await Bun.sleep(2_000);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    const sizes = Object.fromEntries(
      [...metrics.matchAll(/llm_router_state_entries\{kind="(\w+)"\} (\d+)/g)].map(([, kind = "", size]) => [
        kind,
        Number(size),
      ]),
    );
    const settled = [...metrics.matchAll(/^llm_router_requests_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
    const now: Idle = { sockets: socketsOf(pid), sizes, settled };
    // Idle connections to upstreams are kept for half a minute.
    if (now.sizes["exchanges"] === 0 && tries >= 17 && JSON.stringify(now) === before) return now;
    before = JSON.stringify(now);
  }
  throw new Error(`The gateway did not come to rest: ${before}`);
}

const tally: Tally = newTally();
const random = seededRandom(Number(values.seed));
const clientOptions = {
  host,
  port: Number(port),
  key,
  random,
  chunks: Number(values.seconds) * 10,
  faultShare: Number(values.faults),
  leaveShare: Number(values.leave),
};

// Everything is loaded once before the first figure is taken.
const warm = newTally();
const warmUp = new SoakClient({ ...clientOptions, chunks: 10 }, warm);
for (let i = 0; i < 50; i++) warmUp.start();
await Bun.sleep(3_000);
await warmUp.stop();
const before = await atRest();
console.log(`at rest before: ${JSON.stringify(before)}, ${residentMb(pid).toFixed(1)} MB`);

const client = new SoakClient(clientOptions, tally);
const startedMs = performance.now();
const startedCpu = cpuSeconds(pid);
const samples: [number, number][] = [];
const sampler = setInterval(() => {
  const atMs = performance.now() - startedMs;
  samples.push([atMs, residentMb(pid)]);
  if (samples.length % 12 === 0) {
    const mb = samples.at(-1)?.[1].toFixed(1);
    const share = ((cpuSeconds(pid) - startedCpu) / (atMs / 1_000)) * 100;
    console.log(
      `${(atMs / 60_000).toFixed(1)} min: ${client.open} open, ${tally.sent} begun, ${tally.chunks} chunks, ${mb} MB, ${share.toFixed(0)} % CPU, starved ${tally.starved}, lost ${tally.lost.length}`,
    );
  }
}, sampleMs);
for (let i = 0; i < streams; i++) {
  client.start();
  await Bun.sleep(rampMs / streams);
}
await Bun.sleep(Math.max(0, minutes * 60_000 - (performance.now() - startedMs)));
clearInterval(sampler);
const rate = tally.chunks / ((performance.now() - startedMs) / 1_000);
await client.stop();
const after = await atRest();
const peak = peakMb(pid);
console.log(`at rest after: ${JSON.stringify(after)}, ${residentMb(pid).toFixed(1)} MB`);

const upstreamStats = (await (await fetch(`${upstream.url}/stats`)).json()) as { open: number };
gateway.process.kill("SIGTERM");
await gateway.process.exited;
upstream.process.kill();
const { Database } = await import("bun:sqlite");
const ledger = new Database(join(dir, "fairlead.db"), { readonly: true });
const rows = (ledger.query("SELECT count(*) AS n FROM exchanges").get() as { n: number }).n;
ledger.close();
rmSync(folder, { recursive: true, force: true });

console.log("\nwhat befell → how it ended");
for (const [name, count] of [...tally.endings].sort()) console.log(`${String(count).padStart(8)}  ${name}`);
for (const line of tally.lost.slice(0, 10)) console.log(`LOST ${line}`);

const begun = tally.sent + warm.sent;
const last = samples.filter(([atMs]) => atMs >= (minutes * 60_000) / 3);
const unaccounted = Math.abs(begun - after.settled) + Math.abs(begun - rows);
const grown = Object.entries(after.sizes)
  // These are filled up to a bound of their own and mean no running request.
  .filter(([kind]) => kind !== "decisions" && kind !== "conversations")
  .filter(([kind, size]) => size > (before.sizes[kind] ?? 0))
  .map(([kind]) => kind);
if (after.sockets > before.sockets) grown.push("sockets");
if (upstreamStats.open > 0) grown.push("upstream streams");
const figures = {
  streams2000PeakMb: Math.round(peak * 10) / 10,
  slopeMbPerMin: Math.round(slopePerMinute(last) * 1_000) / 1_000,
  lost: tally.lost.length + warm.lost.length + unaccounted,
  sent: begun,
  ledgerRows: rows,
  streams,
  minutes,
  chunksPerSecond: Math.round(rate),
  starved: tally.starved,
  longestGapMs: Math.round(tally.longestGapMs),
  grown,
};
console.log(JSON.stringify(figures));
process.exit(figures.lost > 0 || figures.starved > 0 || grown.length > 0 ? 1 : 0);
