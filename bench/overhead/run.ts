// Gateway overhead beside a bare proxy and a peer, all in one run: the same load through each, CPU counted per process.
// Rounds are interleaved, so that a noisy neighbour hits everyone. Usage: npm run bench:overhead [-- --scale 0.2]
import {
  type Contestant,
  type Scenario,
  startBareProxy,
  startFairlead,
  startPortkey,
  startUpstream,
} from "./contestants.ts";
import { cpuMicroseconds, load, type Measured, peakMegabytes, percentile, sum } from "./measure.ts";

const scaleAt = process.argv.indexOf("--scale");
const scale = scaleAt === -1 ? 1 : Number(process.argv[scaleAt + 1]);
const rounds = 3;
const clients = 16;
const requestsOf: Record<Scenario, number> = { json: 4_000, relay: 800, translated: 800 };
const scenarios: readonly Scenario[] = ["json", "relay", "translated"];
const titles: Record<Scenario, string> = {
  json: "1 KB JSON",
  relay: "50-chunk relay",
  translated: "50-chunk translated stream",
};

async function measureAll(contestants: readonly Contestant[]): Promise<Map<string, Measured>> {
  const results = new Map<string, Measured[]>();
  for (const scenario of scenarios) {
    // Peers that need much longer per request get fewer of them; everything is per request anyway.
    const requests = (contestant: Contestant): number =>
      Math.max(20, Math.round(requestsOf[scenario] * scale * (contestant.name === "Portkey" ? 0.25 : 1)));
    for (const contestant of contestants)
      await load(contestant, scenario, Math.ceil(requests(contestant) / 4), clients);
    for (let round = 0; round < rounds; round++) {
      const order = round % 2 === 0 ? contestants : [...contestants].reverse();
      for (const contestant of order) {
        const measured = await load(contestant, scenario, requests(contestant), clients);
        if (measured === undefined) continue;
        const key = `${contestant.name}/${scenario}`;
        results.set(key, [...(results.get(key) ?? []), measured]);
      }
    }
  }
  return new Map([...results].map(([key, list]) => [key, sum(list)]));
}

function printTable(contestants: readonly Contestant[], results: ReadonlyMap<string, Measured>): void {
  const rows: Record<string, string | number>[] = [];
  for (const scenario of scenarios) {
    const direct = results.get(`upstream directly/${scenario}`);
    for (const contestant of contestants) {
      const measured = results.get(`${contestant.name}/${scenario}`);
      if (measured === undefined) continue;
      const added = (p: number): number =>
        direct === undefined ? Number.NaN : percentile(measured.latencies, p) - percentile(direct.latencies, p);
      rows.push({
        scenario: titles[scenario],
        through: contestant.name,
        "CPU µs/request": Math.round(cpuMicroseconds(measured)),
        "added p50 ms": added(50).toFixed(2),
        "added p99 ms": added(99).toFixed(2),
        "requests/s": Math.round(measured.requests / measured.seconds),
        "peak MB": Math.round(peakMegabytes(contestant.pid)),
        failed: measured.failures,
      });
    }
  }
  console.table(rows);
}

const upstream = await startUpstream();
const contestants: Contestant[] = [upstream];
try {
  contestants.push(await startBareProxy(upstream.url));
  const starts: number[] = [];
  for (let i = 0; i < 3; i++) {
    const fairlead = await startFairlead(upstream.url);
    starts.push(fairlead.startMs);
    if (i < 2) await fairlead.stop();
    else contestants.push(fairlead);
  }
  contestants.push(await startPortkey(upstream.url));
  const results = await measureAll(contestants);
  printTable(contestants, results);
  const cpu = (name: string, scenario: Scenario): number => {
    const measured = results.get(`${name}/${scenario}`);
    return measured === undefined ? Number.NaN : cpuMicroseconds(measured);
  };
  const rounded = (value: number): number => Math.round(value * 100) / 100;
  const bare = "bare Bun + Hono proxy";
  const failed = [...results.values()].reduce((total, measured) => total + measured.failures, 0);
  const summary = {
    cpuRatioToBare: rounded(cpu("Fairlead", "json") / cpu(bare, "json")),
    cpuRatioPortkeyToFairlead: rounded(cpu("Portkey", "json") / cpu("Fairlead", "json")),
    translatedStreamRatioToBare: rounded(cpu("Fairlead", "translated") / cpu(bare, "relay")),
    relayStreamRatioToBare: rounded(cpu("Fairlead", "relay") / cpu(bare, "relay")),
    startMs: Math.round(Math.min(...starts)),
    failed,
  };
  console.log(
    `aims: cpuRatioToBare ≤ 2, cpuRatioPortkeyToFairlead ≥ 10, translatedStreamRatioToBare ≤ 4, startMs < 300 (${rounds} interleaved rounds, ${clients} clients)`,
  );
  console.log(JSON.stringify(summary));
  if (failed > 0) process.exitCode = 1;
} finally {
  for (const contestant of contestants.reverse()) await contestant.stop();
}
