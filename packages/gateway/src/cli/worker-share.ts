import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { StorageSettings } from "../config/resolve-storage.ts";

/** One worker's part of the room on disk for rows that the database has not taken. */
export function journalShare(storage: StorageSettings, { count }: { readonly count: number }): StorageSettings {
  return { ...storage, journalMaxBytes: Math.ceil(storage.journalMaxBytes / count) };
}

/** One worker's part of what a config allows the whole gateway, for what each worker counts by itself. */
export function workerShare(
  config: Pick<ResolvedConfig, "server" | "catalogue">,
  { index, count }: { readonly index: number; readonly count: number },
): Pick<ResolvedConfig, "server" | "catalogue"> {
  const { server, catalogue } = config;
  const part = (whole: number): number => Math.floor(whole / count) + (index < whole % count ? 1 : 0);
  const { maxConcurrent, maxBufferedBytes, maxBodyBytes, queue } = server;
  const { spill } = catalogue;
  return {
    server: {
      ...server,
      maxConcurrent: Math.max(1, part(maxConcurrent)),
      queue: { ...queue, max: part(queue.max) },
      // The largest body must fit, whichever worker it comes to.
      maxBufferedBytes: Math.max(part(maxBufferedBytes), Math.min(maxBodyBytes, maxBufferedBytes)),
    },
    catalogue:
      spill?.maxUsdPerHour === undefined
        ? catalogue
        : { ...catalogue, spill: { ...spill, maxUsdPerHour: spill.maxUsdPerHour / count } },
  };
}
