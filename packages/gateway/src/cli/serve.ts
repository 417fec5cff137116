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
import type { ShadowResults } from "../pipeline/shadow-tally.ts";
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
import { addShadows, answerWorkers, findElsewhere } from "./worker-answers.ts";
import type { WorkerLink } from "./worker-link.ts";
import { type GivenConfig, workerVariable } from "./worker-orders.ts";
import { journalShare, workerShare } from "./worker-share.ts";

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

/** Runs the gateway until it is told to stop. Returns the process's exit code. */
export async function serve(options: ServeRun, env: NodeJS.ProcessEnv, isTerminal: boolean): Promise<number> {
  const signals = new StopSignals();
  let hangup = (): void => {};
  const worker = await joinWorkers(env);
  const run = worker === undefined ? options : { ...options, given: worker.orders.given, port: worker.orders.port };
  // On a terminal it still ends the process: it says that the terminal is gone. Workers are told by their parent.
  if (!isTerminal) process.on("SIGHUP", () => worker === undefined && hangup());
  /** One worker does for all what is done once. */
  const isFirst = worker === undefined || worker.orders.index === 0;
  const clock = systemClock;
  const randomness = systemRandomness();
  // Reading the library overlaps with opening the stores; whoever needs it awaits it.
  void LibraryPrices.load().catch(() => {});
  const loaded = await loadOrMakeConfig(run, env, run.demo);
  if (worker === undefined && loaded.config.server.workers > 1) {
    const { supervise } = await import("./supervisor.ts");
    return supervise(loaded, { run, env, isTerminal, signals });
  }
  // A config whose storage cannot be told fails as a whole, with all its faults.
  const { storage, secret } = loaded.store ?? { storage: unsaid, secret: undefined };
  const outputs = new Outputs();
  const { alert, warn } = outputs;
  const room = worker === undefined ? storage : journalShare(storage, worker.orders);
  const stores = await openStores(room, secret, { clock, randomness, alert });
  const { reports } = stores;
  const inForce = worker?.orders.inForce ?? undefined;
  try {
    if (worker !== undefined && stores.files === undefined) throw unkept(stores);
    const vault = aesVault(stores.secret, (size) => randomBytes(size));
    const meter = new SelfHostedMeter([]);
    const origins = new WeakMap<Snapshot, ResolvedConfig>();
    const snapshot = async (config: ResolvedConfig): Promise<Snapshot> => {
      const { pricing, upstreams } = config;
      const prices = await createPriceBook({ pricing, upstreams, meter, clock });
      meter.measure(upstreams.map(({ name }) => name));
      const made = { ...config, ...(worker && workerShare(config, worker.orders)), prices };
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
    const runningConfig = new RunningConfig(inForce === undefined ? loaded : loaded.reread(inForce.text), {
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
    const warnings = worker?.orders.tells === false ? [] : [...stores.warnings, ...resolved.warnings];
    for (const warning of warnings) log.logger.warn({ event: "config_warning" }, warning);

    const inform = (text: string): void => log.logger.info({ event: "shared_state" }, text);
    const sharing = { clock, randomness, alert, inform };
    const shared = (await openShared(resolved.shared, sharing)) ?? (await worker?.openShared(sharing));
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
            inForce: worker && (inForce ?? givenText(worker.orders.given)),
            others: worker,
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
    const changedHere = (): Promise<unknown> => mirror.refresh().then(() => booked());
    const changed = async (): Promise<unknown> => {
      await changedHere();
      // Who cannot be told now sees it by itself a little later.
      return worker?.gather("changed").catch(() => {});
    };
    const admin = {
      stores,
      resolved,
      vault,
      runningConfig: {
        refersTo: (name: string) => runningConfig.refersTo(name),
        async refresh() {
          await runningConfig.refresh();
          await worker?.gather("credentials").catch(() => {});
        },
      },
      operatorToken,
      firstRun,
      config,
      addShadows: worker && ((name: string, own: ShadowResults) => addShadows(name, own, worker)),
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
        findExchange: reports && (async (id) => (await findElsewhere(id, worker)) ?? reports.exchange(id)),
        ...(shared && { counters: shared.counters, replicas: shared }),
        meter,
        clock,
        randomness,
        adminApi: adminApi(admin),
      },
      env,
      signals,
      {
        reusePort: worker !== undefined,
        async built(made) {
          gateway = made;
          await shared?.ready();
          const together = shared && { shared, ledger: ledgerName(storage, stores) };
          const history = await followBudgets(made, stores, ring, mirror, alert, together);
          booked = history.booked;
          const upkeep =
            stores.reports &&
            isFirst &&
            new LedgerUpkeep({
              ledger: stores.reports,
              directory: stores.directory,
              clock,
              retentionDays: storage.retentionDays,
              alert,
            });
          showJournal(made, stores);
          if (worker !== undefined)
            answerWorkers(worker, { gateway: made, changed: changedHere, runningConfig, config, alert });
          if (shared !== undefined) showShared(made, shared);
          stopWork = () => {
            history.stop();
            if (upkeep) upkeep.stop();
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
    worker?.onLost(() => void served.stop());
    await worker?.ready();
    const findings = [...loaded.findings, ...loaded.simulated.findings, ...stores.findings];
    if (shared !== undefined) findings.push(shared.finding);
    const lines = {
      url: served.url,
      findings,
      resolved,
      demo: run.demo,
      firstRun: firstRunPath(stores, firstRun.token()),
    };
    if (worker?.orders.tells === false) {
      // The gateway listens already, and somebody was told.
    } else if (run.json || !(run.demo || isTerminal)) {
      log.logger.info({ event: "listening", url: served.url, findings });
      log.flush();
    } else process.stdout.write(banner(lines, isTerminal));
    // Compiled when first asked for, which takes some 20 ms: neither the start nor a later request shall wait for it.
    const cancelCompiling = clock.after(compileAfterMs, () => {
      for (const strategy of resolved.catalogue.strategies.values()) void strategy.rules;
    });
    if (resolved.server.watchConfig && isFirst) void reload?.watch();
    hangup = () => {
      if (reload === undefined) warn("SIGHUP: there is no config file to read again.");
      else void reload.readAgain();
    };
    worker?.onHangup(() => hangup());
    await served.stopped;
    cancelCompiling();
    return 0;
  } catch (thrown) {
    await stores.ledger.close();
    await stores.close();
    throw thrown;
  }
}

/** Undefined in a process that is a gateway by itself. */
async function joinWorkers(env: NodeJS.ProcessEnv): Promise<WorkerLink | undefined> {
  if (env[workerVariable] === undefined) return undefined;
  const { WorkerLink } = await import("./worker-link.ts");
  return WorkerLink.join();
}

function unkept({ warnings }: Stores): StartError {
  const why = warnings.join(" ");
  return new StartError(
    `Several workers need a storage folder that is kept, for they share keys and the ledger by it. ${why}`,
  );
}

function givenText(given: GivenConfig): { readonly text: string } | undefined {
  return given.kind === "file" ? given : undefined;
}

function firstRunPath({ files }: Stores, token: unknown): string | undefined {
  return token === undefined ? undefined : files?.pathOf("first-run-token");
}
