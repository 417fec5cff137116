import { createHash } from "node:crypto";
import type { SharedSettings } from "../config/resolve-shared.ts";
import type { StorageSettings } from "../config/resolve-storage.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import { openSharedRedis, type SharedRedis } from "../stores/redis/shared-redis.ts";
import type { Stores } from "./open-stores.ts";

/** What replicas share, and what the process tells of it. */
export interface Shared extends SharedRedis {
  readonly replica: string;
  /** One line for a person. */
  readonly finding: string;
  /** The store came back without what it knew. */
  onEmptied(listen: () => void): void;
  /** Resolves when the store is up, or is not going to be soon. */
  ready(): Promise<void>;
}

export interface SharedDeps {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly alert: (error: GatewayError) => void;
  readonly inform: (text: string) => void;
}

/** A start waits so long for a store that answers. */
const readyMs = 1_000;
/** A shorter absence is nobody's concern. */
const tellAfterMs = 1_000;

/** Connects to what replicas share; never fails or waits because it is away. Undefined where nothing is shared. */
export async function openShared(settings: SharedSettings | undefined, deps: SharedDeps): Promise<Shared | undefined> {
  if (settings === undefined) return undefined;
  const { clock, randomness, alert, inform } = deps;
  const { place, prefix } = settings;
  const { promise: up, resolve: isUp } = Promise.withResolvers<void>();
  const emptied: (() => void)[] = [];
  const replica = randomness.id();
  let isToldAway = false;
  const tellSoon = (): (() => void) =>
    clock.after(tellAfterMs, () => {
      isToldAway = true;
      const text = `Redis at ${place} does not answer (${redis?.counters.fault}): this replica goes by its own share of limits and budgets until it does.`;
      alert(new GatewayError("store_unavailable", text));
    });
  let cancelTelling = tellSoon();
  let redis: SharedRedis | undefined;
  redis = await openSharedRedis({
    ...settings,
    replica,
    clock,
    changed(isBack) {
      cancelTelling();
      if (!isBack) {
        cancelTelling = tellSoon();
        return;
      }
      isUp();
      if (isToldAway) inform(`Redis at ${place} is back: limits and budgets are shared again.`);
      isToldAway = false;
    },
    emptied() {
      for (const listen of emptied) listen();
    },
  });
  const { stop } = redis;
  return {
    ...redis,
    replica,
    finding: `shared: Redis at ${place} (prefix ${prefix})`,
    onEmptied: (listen) => emptied.push(listen),
    async ready() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const cancel = clock.after(readyMs, resolve);
      await Promise.race([up, late]);
      cancel();
    },
    async stop() {
      cancelTelling();
      await stop();
    },
  };
}

/** Tells one ledger from another: replicas on one database have one, each other replica its own. */
export function ledgerName({ database }: StorageSettings, { files }: Pick<Stores, "files">): string {
  if (database.kind === "postgres" || files === undefined) return database.kind;
  return createHash("sha256").update(files.readOrMake("ledger-id").reveal()).digest("hex").slice(0, 16);
}
