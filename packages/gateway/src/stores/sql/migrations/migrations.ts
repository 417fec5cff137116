import type { Migration } from "../migration.ts";
import { ledger } from "./0001-ledger.ts";
import { identity } from "./0002-identity.ts";

/** Every step of the database's shape, the oldest first. Steps that were released never change; new ones are added at the end. */
export const migrations: readonly Migration[] = [ledger, identity];
