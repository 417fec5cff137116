import { dumpLedger } from "../setup/ledger-rows.ts";
import { startLoadBalancer } from "../setup/load-balancer.ts";
import { startPostgres } from "../setup/postgres-server.ts";
import { RawSocket } from "../setup/raw-socket.ts";
import { tempDir } from "../setup/temp-dir.ts";
import { numberedWords } from "./ask.ts";
import { startLoad } from "./load.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

const text = numberedWords(10);
/** Below what the simulator remembers, so that each request can be looked up. */
const most = 900;

/** Kills one of two replicas without a word and starts it again: its clients see a broken connection, and no work is charged twice. */
export async function replicaKilled(stage: Stage): Promise<void> {
  const postgres = await startPostgres();
  stage.onEnd(() => postgres.stop());
  const storageUrl = postgres.createDatabase();
  const local = await stage.simulator("--flavour", "vllm", "--model", "chat");
  const start = (dir: string) =>
    stage.gateway({
      upstreams: { local: { preset: "vllm", baseUrl: `${local.url}/v1`, models: [{ id: "chat" }] } },
      routing: { retriesPerTarget: 0, fallback: [] },
      storage: { url: storageUrl, dir },
      auth: { secret: "for tests only, and long enough for that" },
    });
  const dirs = [tempDir(), tempDir()] as const;
  // One after the other: the first makes the tables.
  const gateways = [await start(dirs[0]), await start(dirs[1])];
  const balancer = await startLoadBalancer(gateways.map(({ url }) => url));
  const clients = stage.pick(6, 12);
  const load = startLoad(stage, balancer.url, {
    name: "through the balancer",
    model: "local/chat",
    text,
    paceMs: stage.pick(6, 20),
    clients,
    most,
    // A killed replica cannot say a word.
    honest: ["answered", "broken"],
  });
  const rounds = stage.pick(2, 3);
  for (let round = 0; round < rounds; round++) {
    const position = round % 2;
    await load.more(stage.pick(20, 60));
    gateways[position]?.child.process.kill("SIGKILL");
    await gateways[position]?.child.ended;
    await load.more(stage.pick(20, 60), "answers of the other replica", ({ end }) => end === "answered");
    const next = await start(dirs[position] ?? dirs[0]);
    gateways[position] = next;
    balancer.replace(position, next.url);
    const before = balancer.served[position] ?? 0;
    // Only new connections are spread: those of the load stay where they are.
    await until("the balancer to use it again", async () => {
      const socket = new RawSocket(balancer.url).write("GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n");
      await socket.until(/HTTP/).finally(() => socket.destroy());
      return (balancer.served[position] ?? 0) > before;
    });
    await load.more(stage.pick(20, 60), "answers", ({ end }) => end === "answered");
  }
  const seen = await load.stop();
  const broken = seen.filter(({ end }) => end === "broken");
  // One request of each connection there, and one more that came before the balancer knew.
  stage.expect(broken.length <= rounds * clients * 3, `${broken.length} broken connections of ${clients} clients`);
  stage.expect(broken.length > 0, "nobody was connected to the killed replica");

  await Promise.all(gateways.map((gateway) => gateway.stop()));
  const hits = await local.generations();
  const { rows, total } = await dumpLedger(storageUrl);
  const byId = new Map(rows.map((row) => [row.id, row]));
  stage.expect(byId.size === rows.length, `${rows.length - byId.size} rows that are there twice`);
  const answered = seen.filter(({ end }) => end === "answered");
  const wrong = answered.filter(({ decisionId }) => byId.get(decisionId ?? "")?.outcome !== "ok");
  stage.expect(wrong.length === 0, `${wrong.length} answered requests without a settled row`);
  const attempts = rows.reduce((sum, { attemptCosts }) => sum + attemptCosts.length, 0);
  // Killed between the row and the upstream: at most one request of each client.
  const unsent = attempts - hits.length;
  stage.expect(
    unsent >= 0 && unsent <= rounds * clients,
    `${attempts} attempts in the ledger, ${hits.length} upstream`,
  );
  const cost = rows.reduce((sum, row) => sum + (row.cost ?? 0), 0);
  stage.expect(total.cost === cost, `a report of ${total.cost} over rows of ${cost}`);
}
