import { randomBytes } from "node:crypto";
import type { Gateway, Snapshot } from "../build-gateway.ts";
import { createPriceBook } from "../config/price-book/create-price-book.ts";
import { LibraryPrices } from "../config/price-book/library-prices.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { StorageSettings } from "../config/resolve-storage.ts";
import { DirectoryMirror } from "../keys/directory-mirror.ts";
import { SelfHostedMeter } from "../ledger/self-hosted-meter.ts";
import { systemClock } from "../lib/clock.ts";
import { systemRandomness } from "../lib/ids.ts";
import { aesVault } from "../stores/credentials/aes-vault.ts";
import { storedCredentials } from "../stores/credentials/stored-credentials.ts";
import { LedgerUpkeep } from "../stores/sql/ledger-upkeep.ts";
import { adminApi } from "./admin-parts.ts";
import { banner } from "./banner.ts";
import { ConfigReload } from "./config-reload.ts";
import { FileConfigControl } from "./file-config-control.ts";
import { FirstRunToken } from "./first-run-token.ts";
import { followBudgets } from "./follow-budgets.ts";
import { loadOrMakeConfig, type ServeOptions } from "./load.ts";
import { makeKeyRing } from "./make-key-ring.ts";
import { ledgerName, openShared } from "./open-shared.ts";
import { openStores, type Stores } from "./open-stores.ts";
import { Outputs } from "./outputs.ts";
import { runGateway } from "./run-gateway.ts";
import { RunningConfig } from "./running-config.ts";
import { showJournal } from "./show-journal.ts";
import { showShared } from "./show-shared.ts";
import { StartError } from "./start-error.ts";
import { StopSignals } from "./stop-signals.ts";

export interface ServeRun extends ServeOptions {
  /** Simulated upstreams stand in for what is missing. */
  readonly demo: boolean;
  /** Log lines for machines; the start is told in one JSON line. */
  readonly json: boolean;
}

const unsaid: StorageSettings = {
  database: { kind: "memory" },
  dir: "",
  isUsual: true,
  journalMaxBytes: 0,
  whenUnwritable: "serve",
  retentionDays: 0,
};

const compileAfterMs = 1_000;

/** Runs the gateway until it is told to stop. */
export async function serve(run: ServeRun, env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<void> {
  const signals = new StopSignals();
  let hangup = (): void => {};
  // On a terminal it still ends the process: it says that the terminal is gone.
  if (!isTerminal) process.on("SIGHUP", () => hangup());
  const clock = systemClock;
  const randomness = systemRandomness();
  // Reading the library overlaps with opening the stores; whoever needs it awaits it.
  void LibraryPrices.load().catch(() => {});
  const loaded = await loadOrMakeConfig(run, env, run.demo);
  // A config whose storage cannot be told fails as a whole, with all its faults.
  const { storage, secret } = loaded.store ?? { storage: unsaid, secret: undefined };
  const outputs = new Outputs();
  const { alert, warn } = outputs;
  const stores = await openStores(storage, secret, { clock, randomness, alert });
  const { reports } = stores;
  try {
    const vault = aesVault(stores.secret, (size) => randomBytes(size));
    const meter = new SelfHostedMeter([]);
    const origins = new WeakMap<Snapshot, ResolvedConfig>();
    const snapshot = async (config: ResolvedConfig): Promise<Snapshot> => {
      const { pricing, upstreams } = config;
      const prices = await createPriceBook({ pricing, upstreams, meter, clock });
      meter.measure(upstreams.map(({ name }) => name));
      const made = { ...config, prices };
      origins.set(made, config);
      return made;
    };
    /** What is not the gateway's own goes by the config too. */
    const followConfig = (config: ResolvedConfig | undefined): void => {
      if (config === undefined) return;
      outputs.follow(config);
      const { key: sharedKey, required, anonymous } = config.auth;
      ring.follow({ sharedKey, required, anonymous });
    };
    const runningConfig = new RunningConfig(loaded, {
      credentials: storedCredentials(stores.directory, vault),
      clock,
      snapshot,
      apply(made) {
        running().apply(made);
        followConfig(origins.get(made));
      },
      warn,
      alert,
    });
    const resolved = await runningConfig.start();
    const colour = isTerminal && env["NO_COLOR"] === undefined;
    const log = outputs.open(resolved, { asText: run.demo && !run.json, colour, clock, randomness });
    for (const warning of [...stores.warnings, ...resolved.warnings])
      log.logger.warn({ event: "config_warning" }, warning);

    const inform = (text: string): void => log.logger.info({ event: "shared_state" }, text);
    const shared = await openShared(resolved.shared, { clock, randomness, alert, inform });
    const ring = makeKeyRing(resolved.auth, stores.secret, clock);
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
    const reload =
      config &&
      new ConfigReload({
        path: config.path,
        control: config,
        directory: stores.directory,
        clock,
        logger: log.logger,
        alert,
        changed: () => changed(),
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
        sinks: outputs.sinks,
        ledger: stores.ledger,
        findExchange: reports && ((id) => reports.exchange(id)),
        ...(shared && { counters: shared.counters, replicas: shared }),
        meter,
        clock,
        randomness,
        adminApi: adminApi(admin),
      },
      env,
      signals,
      {
        async built(made) {
          gateway = made;
          await shared?.ready();
          const sharing = shared && { shared, ledger: ledgerName(storage, stores) };
          const history = await followBudgets(made, stores, ring, mirror, alert, sharing);
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
          if (shared !== undefined) showShared(made, shared);
          stopWork = () => {
            history.stop();
            upkeep?.stop();
            mirror.stop();
            reload?.stop();
            runningConfig.stop();
          };
        },
        async stopped() {
          stopWork();
          await shared?.stop();
          await stores.close();
          await loaded.simulated.stop();
        },
      },
    );
    log.flush();
    const findings = [...loaded.findings, ...loaded.simulated.findings, ...stores.findings];
    if (shared !== undefined) findings.push(shared.finding);
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
    // Compiled when first asked for, which takes some 20 ms: neither the start nor a later request shall wait for it.
    const cancelCompiling = clock.after(compileAfterMs, () => {
      for (const strategy of resolved.catalogue.strategies.values()) void strategy.rules;
    });
    if (resolved.server.watchConfig) void reload?.watch();
    hangup = () => {
      if (reload === undefined) warn("SIGHUP: there is no config file to read again.");
      else void reload.readAgain();
    };
    await served.stopped;
    cancelCompiling();
  } catch (thrown) {
    await stores.ledger.close();
    await stores.close();
    throw thrown;
  }
}

function firstRunPath({ files }: Stores, token: unknown): string | undefined {
  return token === undefined ? undefined : files?.pathOf("first-run-token");
}
