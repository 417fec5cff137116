import { GatewayError } from "../core/errors.ts";
import type { LedgerDatabase } from "./ledger-database.ts";

function refuse(): never {
  throw new GatewayError(
    "store_unavailable",
    "This gateway keeps no ledger (`storage.url: memory`, or its folder cannot be written), so there is nothing to report.",
  );
}

const refusal = async (): Promise<never> => refuse();

/** Stands in where no ledger is kept: every report says so. */
export const unkeptLedger: LedgerDatabase = {
  append: refusal,
  usage: refusal,
  savings: refusal,
  exchanges: refusal,
  exchange: refusal,
  exportRows: refuse,
  spent: refusal,
  prune: refusal,
  reprice: refusal,
  prepareUntil: refusal,
};
