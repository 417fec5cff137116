import { SqlError, type SqlFailure } from "../sql/sql-error.ts";

/** Data exceptions, broken constraints and values beyond a limit: the same rows will be refused again. */
const refused = /^(22|23|54)/;
/** Connection, resources, operator intervention, system, conflicts of transactions, a standby. */
const unavailable = /^(08|53|57|58|40|25006$|28|3D000$|E[A-Z]+$)/;

/** Turns what the driver throws into a `SqlError` without anything of the connection's address. */
export function postgresFailure(thrown: unknown): SqlError {
  if (thrown instanceof SqlError) return thrown;
  const { message = "unknown error", code } = thrown as { message?: string; code?: string };
  let failure: SqlFailure = "failed";
  if (code === undefined) {
    // The driver's own words for a connection that is gone or too slow have no code.
    if (/timeout|terminated|connection|not queryable|ended|ENOTFOUND|SSL/i.test(message)) failure = "unavailable";
  } else if (refused.test(code)) failure = "refused";
  else if (unavailable.test(code)) failure = "unavailable";
  return new SqlError(failure, `PostgreSQL: ${message || code || "no answer"}`, code);
}
