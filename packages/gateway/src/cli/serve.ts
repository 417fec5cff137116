import { randomBytes } from "node:crypto";
import type { Gateway, Snapshot } from "../build-gateway.ts";
import { createPriceBook } from "../config/price-book/create-price-book.ts";
import { LibraryPrices } from "../config/price-book/library-prices.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { StorageSettings } from "../config/resolve-storage.ts";
import type { GatewayError } from "../core/errors.ts";
import { DirectoryMirror } from "../keys/directory-mirror.ts";
import { keyHash } from "../keys/key-hash.ts";
import { KeyRing } from "../keys/key-ring.ts";
import { SelfHostedMeter } from "../ledger/self-hosted-meter.ts";
import { systemClock } from "../lib/clock.ts";
import { systemRandomness } from "../lib/ids.ts";
import { BudgetHistory } from "../policy/budget-history.ts";
import { logSink } from "../sinks/log/log-sink.ts";
import { makeLogger } from "../sinks/log/make-logger.ts";
import { WebhookSink } from "../sinks/webhook/webhook-sink.ts";
import { aesVault } from "../stores/credentials/aes-vault.ts";
import { storedCredentials } from "../stores/credentials/stored-credentials.ts";
import { JwtVerifier } from "../stores/jwt/jwt-verifier.ts";
import { LedgerUpkeep } from "../stores/sql/ledger-upkeep.ts";
import { adminApi } from "./admin-parts.ts";
import { banner } from "./banner.ts";
import { FileConfigControl } from "./file-config-control.ts";
import { FirstRunToken } from "./first-run-token.ts";
import { loadOrMakeConfig, type ServeOptions } from "./load.ts";
import { openStores, type Stores } from "./open-stores.ts";
import { runGateway } from "./run-gateway.ts";
import { RunningConfig } from "./running-config.ts";
import { StartError } from "./start-error.ts";

export interface ServeRun extends ServeOptions {
  /** Simulated upstreams stand in for what is missing. */
  readonly demo: boolean;
  /** Log lines for machines; the start is told in one JSON line. */
  readonly json: boolean;
}

/** Longest that the first request waits for what earlier processes spent. */
const historyMs = 3_000;

const unsaid: StorageSettings = {
  database: { kind: "memory" },
  dir: "",
  isUsual: true,
  journalMaxBytes: 0,
  whenUnwritable: "serve",
  retentionDays: 0,
};

/** Runs the gateway until it is told to stop. */
export async function serve(run: ServeRun, env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<void> {
  const clock = systemClock;
  const randomness = systemRandomness();
  // Reading the library overlaps with opening the stores; whoever needs it awaits it.
  void LibraryPrices.load().catch(() => {});
  const loaded = await loadOrMakeConfig(run, env, run.demo);
  // A config whose storage cannot be told fails as a whole, with all its faults.
  const { storage, secret } = loaded.store ?? { storage: unsaid, secret: undefined };
  let alert = (_: GatewayError): void => {};
  const stores = await openStores(storage, secret, { clock, randomness, alert: (error) => alert(error) });
  try {
    const vault = aesVault(stores.secret, (size) => randomBytes(size));
    const credentials = storedCredentials(stores.directory, vault);
    const runningConfig = new RunningConfig(loaded, {
      credentials,
      clock,
      snapshot: (config) => snapshot(config),
      apply: (made) => running().apply(made),
      warn: (text) => warn(text),
      alert: (error) => alert(error),
    });
    const resolved = await runningConfig.start();
    const asText = run.demo && !run.json;
    const log = makeLogger(
      resolved.logging.level,
      asText ? "text" : "json",
      isTerminal && env["NO_COLOR"] === undefined,
    );
    const warn = (text: string): void => log.logger.warn({ event: "warning" }, text);
    const sinks = [
      logSink(log),
      ...resolved.webhooks.map((hook) => new WebhookSink(hook, { clock, randomness, warn })),
    ];
    alert = (error) => {
      for (const sink of sinks) sink.operatorAlert(error, "-");
    };
    for (const warning of [...stores.warnings, ...resolved.warnings])
      log.logger.warn({ event: "config_warning" }, warning);

    const meter = new SelfHostedMeter([]);
    const snapshot = async (config: ResolvedConfig): Promise<Snapshot> => {
      const { server, upstreams, catalogue, attemptLimits, breakerLimits, pricing, budgets, limits } = config;
      const prices = await createPriceBook({ pricing, upstreams, meter, clock });
      meter.measure(upstreams.map(({ name }) => name));
      return { server, upstreams, catalogue, attemptLimits, breakerLimits, prices, pricing, budgets, limits };
    };
    const { auth } = resolved;
    const ring = new KeyRing({
      hash: keyHash(stores.secret),
      clock,
      sharedKey: auth.key,
      required: auth.required,
      anonymous: auth.anonymous,
      tokens: auth.jwt.length === 0 ? undefined : new JwtVerifier(auth.jwt.map(withOptionalUrl), clock),
    });
    let gateway: Gateway | undefined;
    let booked = (): Promise<unknown> => Promise.resolve();
    const running = (): Gateway => {
      if (gateway === undefined) throw new StartError("The gateway is not built yet.");
      return gateway;
    };
    const firstRun = new FirstRunToken(stores.directory, stores.files);
    const mirror = new DirectoryMirror({
      directory: stores.directory,
      ring,
      clock,
      changed(rules) {
        gateway?.setRules(rules);
        // A database that was away at the start tells only now whether there is an owner.
        void firstRun.open().catch(() => {});
      },
      alert,
    });
    await firstRun.open().catch(() => {});
    const config =
      loaded.path === undefined
        ? undefined
        : new FileConfigControl({
            path: loaded.path,
            loaded,
            resolve: (from) => runningConfig.resolve(from),
            snapshot: (config) => runningConfig.snapshot(config),
            gateway: () => ({ apply: (made) => runningConfig.apply(made) }),
          });
    const operatorToken = stores.files?.readOrMake("admin-token");
    const changed = (): Promise<unknown> => mirror.refresh().then(() => booked());
    const admin = {
      stores,
      resolved,
      vault,
      runningConfig,
      operatorToken,
      firstRun,
      config,
      changed,
      clock,
      randomness,
    };
    let stopWork = (): void => {};
    const served = await runGateway(
      {
        ...(await snapshot(resolved)),
        keys: ring,
        sinks,
        ledger: stores.ledger,
        meter,
        clock,
        randomness,
        adminApi: adminApi(admin),
      },
      env,
      {
        async built(made) {
          gateway = made;
          const history = await countWhatWasSpent(made, stores, ring, mirror, alert);
          booked = history.booked;
          const upkeep =
            stores.reports &&
            new LedgerUpkeep({
              ledger: stores.reports,
              directory: stores.directory,
              clock,
              retentionDays: storage.retentionDays,
              alert,
            });
          showJournal(made, stores);
          stopWork = () => {
            history.stop();
            upkeep?.stop();
            mirror.stop();
            runningConfig.stop();
          };
        },
        async stopped() {
          stopWork();
          await stores.close();
          await loaded.simulated.stop();
        },
      },
    );
    log.flush();
    const findings = [...loaded.findings, ...loaded.simulated.findings, ...stores.findings];
    const lines = {
      url: served.url,
      findings,
      resolved,
      demo: run.demo,
      firstRun: firstRunPath(stores, firstRun.token()),
    };
    if (run.json || !(run.demo || isTerminal)) {
      log.logger.info({ event: "listening", url: served.url, findings });
      log.flush();
    } else process.stdout.write(banner(lines, isTerminal));
    await served.stopped;
  } catch (thrown) {
    await stores.ledger.close();
    await stores.close();
    throw thrown;
  }
}

const withOptionalUrl = ({ jwksUrl, tagsClaim, ...rest }: ResolvedConfig["auth"]["jwt"][number]) => ({
  ...rest,
  jwksUrl,
  tagsClaim,
});

function firstRunPath({ files }: Stores, token: unknown): string | undefined {
  return token === undefined ? undefined : files?.pathOf("first-run-token");
}

/** Loads keys and rules, and books what earlier processes spent; goes on without them when the database takes too long. */
async function countWhatWasSpent(
  gateway: Gateway,
  stores: Stores,
  ring: KeyRing,
  mirror: DirectoryMirror,
  alert: (error: GatewayError) => void,
): Promise<{ readonly booked: () => Promise<unknown>; readonly stop: () => void }> {
  const { reports, ledger } = stores;
  const { counters, watch } = gateway;
  const keyId = (idOrName: string): string => ring.idOf(idOrName);
  const flush = (): Promise<void> => ledger.flush();
  const recovered = stores.recovered();
  const deps = { recovered, flush, counters, watch, clock: systemClock, keyId, alert };
  const history = reports && new BudgetHistory({ reports, ...deps });
  let booked: Promise<unknown> = Promise.resolve();
  gateway.onBudgets((added) => {
    // They are booked in order: the last one is done when all are.
    if (history !== undefined) booked = history.add(added);
  });
  await beforeLate(mirror.start().then(() => booked));
  return { booked: () => beforeLate(booked), stop: () => history?.stop() };
}

/** Waits for what a slow database may hold up, and goes on without it after a while. */
async function beforeLate(work: Promise<unknown>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, historyMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Shows in `/metrics` how far the database is behind. */
function showJournal({ metrics }: Gateway, { journal }: Stores): void {
  if (journal === undefined) return;
  metrics.watch(
    "llm_router_ledger_queued_rows",
    "Settled rows the database has not taken yet.",
    () => journal().queued,
  );
  metrics.watch("llm_router_ledger_journal_bytes", "Size of the ledger's journal.", () => journal().journalBytes);
  metrics.watch("llm_router_ledger_dropped_rows", "Rows that were lost since the start.", () => journal().dropped);
  metrics.watch("llm_router_ledger_database_up", "Whether the database took the last batch.", () =>
    journal().databaseUp ? 1 : 0,
  );
}
