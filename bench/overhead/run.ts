// Gateway overhead beside a bare proxy and a peer, all in one run: the same load through each, CPU counted per process.
// Rounds are interleaved, so that a noisy neighbour hits everyone. Usage: npm run bench:overhead [-- --scale 0.2]
import {
  type Contestant,
  isPaced,
  type Scenario,
  startBareProxy,
  startFairlead,
  startPortkey,
  startUpstreams,
} from "./contestants.ts";
import { cpuMicroseconds, load, type Measured, peakMegabytes, percentile, sum } from "./measure.ts";

const scaleAt = process.argv.indexOf("--scale");
const scale = scaleAt === -1 ? 1 : Number(process.argv[scaleAt + 1]);
const rounds = 3;
const scenarios: readonly Scenario[] = ["json", "relay", "translated", "relayPaced", "translatedPaced"];
/** Enough that the just-in-time compiler has seen everything before anything is counted. */
const requestsOf: Record<Scenario, number> = {
  json: 12_000,
  relay: 3_000,
  translated: 3_000,
  relayPaced: 400,
  translatedPaced: 400,
};
const clientsOf = (scenario: Scenario): number => (isPaced(scenario) ? 100 : 16);
const titles: Record<Scenario, string> = {
  json: "1 KB JSON",
  relay: "50-chunk relay, burst",
  translated: "50-chunk translated, burst",
  relayPaced: "50-chunk relay, paced",
  translatedPaced: "50-chunk translated, paced",
};

async function measureAll(contestants: readonly Contestant[]): Promise<Map<string, Measured>> {
  const results = new Map<string, Measured[]>();
  for (const scenario of scenarios) {
    const clients = clientsOf(scenario);
    // A peer that needs much longer a request gets fewer of them; everything is per request anyway.
    const share = (contestant: Contestant): number => (contestant.name === "Portkey" && !isPaced(scenario) ? 0.1 : 1);
    const requests = (contestant: Contestant): number =>
      Math.max(50, Math.round(requestsOf[scenario] * scale * share(contestant)));
    for (const contestant of contestants) await load(contestant, scenario, requests(contestant), clients);
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
        // An error page's speed says nothing.
        ...(measured.failures > 0
          ? { "CPU µs/request": "-", "added p50 ms": "-", "added p99 ms": "-", "requests/s": "-" }
          : {
              "CPU µs/request": Math.round(cpuMicroseconds(measured)),
              "added p50 ms": added(50).toFixed(2),
              "added p99 ms": added(99).toFixed(2),
              "requests/s": Math.round(measured.requests / measured.seconds),
            }),
        "peak MB": Math.round(peakMegabytes(contestant.pid)),
        failed: measured.failures,
      });
    }
  }
  console.table(rows);
}

const { urls, contestant: upstream } = await startUpstreams();
const contestants: Contestant[] = [upstream];
try {
  contestants.push(await startBareProxy(urls));
  const starts: number[] = [];
  for (let i = 0; i < 3; i++) {
    const fairlead = await startFairlead(urls, "governed");
    starts.push(fairlead.startMs);
    if (i < 2) await fairlead.stop();
    else contestants.push(fairlead);
  }
  contestants.push(await startFairlead(urls, "plain"));
  contestants.push(await startPortkey(urls));
  const results = await measureAll(contestants);
  printTable(contestants, results);
  const cpu = (name: string, scenario: Scenario): number => {
    const measured = results.get(`${name}/${scenario}`);
    return measured === undefined ? Number.NaN : cpuMicroseconds(measured);
  };
  const rounded = (value: number): number => Math.round(value * 100) / 100;
  const bare = "bare Bun + Hono proxy";
  // A peer's own failures stand in the table; only ours and the floor's make the run a failure.
  const failed = [...results]
    .filter(([key]) => !key.startsWith("Portkey"))
    .reduce((total, [, measured]) => total + measured.failures, 0);
  const governed = (scenario: Scenario): number =>
    rounded(cpu("Fairlead governed", scenario) / cpu("Fairlead", scenario));
  const summary = {
    cpuRatioToBare: rounded(cpu("Fairlead", "json") / cpu(bare, "json")),
    cpuRatioPortkeyToFairlead: rounded(cpu("Portkey", "json") / cpu("Fairlead", "json")),
    translatedStreamRatioToBare: rounded(cpu("Fairlead", "translatedPaced") / cpu(bare, "relayPaced")),
    relayStreamRatioToBare: rounded(cpu("Fairlead", "relayPaced") / cpu(bare, "relayPaced")),
    translatedBurstRatioToBare: rounded(cpu("Fairlead", "translated") / cpu(bare, "relay")),
    relayBurstRatioToBare: rounded(cpu("Fairlead", "relay") / cpu(bare, "relay")),
    governedRatioToPlain: governed("json"),
    governedStreamRatioToPlain: governed("translatedPaced"),
    governedRelayRatioToPlain: governed("relayPaced"),
    startMs: Math.round(percentile(starts, 50)),
    failed,
    portkeyFailed: [...results]
      .filter(([key]) => key.startsWith("Portkey"))
      .reduce((total, [, measured]) => total + measured.failures, 0),
  };
  const aims: readonly (readonly [keyof typeof summary, "<=" | ">=", number])[] = [
    ["cpuRatioToBare", "<=", 2],
    ["cpuRatioPortkeyToFairlead", ">=", 10],
    ["translatedStreamRatioToBare", "<=", 4],
    ["translatedBurstRatioToBare", "<=", 4],
    ["governedRatioToPlain", "<=", 1.25],
    ["governedStreamRatioToPlain", "<=", 1.25],
    ["governedRelayRatioToPlain", "<=", 1.25],
    ["startMs", "<=", 300],
  ];
  for (const [key, sign, aim] of aims) {
    const value = summary[key];
    const isMet = sign === "<=" ? value <= aim : value >= aim;
    const verdict = isMet ? "met" : `missed by ${rounded(Math.abs(value - aim))} (README.md here says why)`;
    console.log(`${key} ${value}, aim ${sign} ${aim}: ${verdict}`);
  }
  console.log(JSON.stringify(summary));
  if (failed > 0) process.exitCode = 1;
} finally {
  for (const contestant of contestants.reverse()) await contestant.stop();
}
