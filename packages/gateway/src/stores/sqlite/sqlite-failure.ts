import { SqlError, type SqlFailure } from "../sql/sql-error.ts";

const refused = /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/;
const unavailable = /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CANTOPEN|NOMEM|READONLY|PROTOCOL|INTERRUPT)|^E[A-Z]+$/;

/** Tells from SQLite's name of an error what may be done about it. */
export function sqliteFailure(message: string, code: string | undefined): SqlError {
  let failure: SqlFailure = "failed";
  if (code !== undefined && refused.test(code)) failure = "refused";
  else if (code !== undefined && unavailable.test(code)) failure = "unavailable";
  return new SqlError(failure, code === undefined ? message : `${message} (${code})`, code);
}
