import { createHash } from "node:crypto";
import type { SharedSettings } from "../config/resolve-shared.ts";
import type { StorageSettings } from "../config/resolve-storage.ts";
import { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import { openSharedRedis, type SharedRedis, type SharedRedisOptions } from "../stores/redis/shared-redis.ts";
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

/** Where a process counts together with others. */
export interface MeetingPlace {
  /** How the operator is told of it. */
  readonly name: string;
  readonly finding: string;
  open(session: Pick<SharedRedisOptions, "replica" | "clock" | "changed" | "emptied">): Promise<SharedRedis>;
}

/** Connects to what replicas share; never fails or waits because it is away. Undefined where nothing is shared. */
export async function openShared(settings: SharedSettings | undefined, deps: SharedDeps): Promise<Shared | undefined> {
  if (settings === undefined) return undefined;
  const { place, prefix } = settings;
  const meeting: MeetingPlace = {
    name: `Redis at ${place}`,
    finding: `shared: Redis at ${place} (prefix ${prefix})`,
    open: (session) => openSharedRedis({ ...settings, ...session }),
  };
  return meetAt(meeting, deps);
}

/** Joins the others, and tells the operator when they cannot be reached for longer than a moment. */
export async function meetAt({ name, finding, open }: MeetingPlace, deps: SharedDeps): Promise<Shared> {
  const { clock, randomness, alert, inform } = deps;
  const { promise: up, resolve: isUp } = Promise.withResolvers<void>();
  const emptied: (() => void)[] = [];
  const replica = randomness.id();
  let isToldAway = false;
  const tellSoon = (): (() => void) =>
    clock.after(tellAfterMs, () => {
      isToldAway = true;
      const text = `${name} does not answer (${shared?.counters.fault}): this replica goes by its own share of limits and budgets until it does.`;
      alert(new GatewayError("store_unavailable", text));
    });
  let cancelTelling = tellSoon();
  let shared: SharedRedis | undefined;
  shared = await open({
    replica,
    clock,
    changed(isBack) {
      cancelTelling();
      if (!isBack) {
        cancelTelling = tellSoon();
        return;
      }
      isUp();
      if (isToldAway) inform(`${name} is back: limits and budgets are shared again.`);
      isToldAway = false;
    },
    emptied() {
      for (const listen of emptied) listen();
    },
  });
  const { stop } = shared;
  return {
    ...shared,
    replica,
    finding,
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
