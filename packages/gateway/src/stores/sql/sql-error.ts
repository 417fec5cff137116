/**
 * What to do about a failed statement. `unavailable`: the same may work later. `refused`: the database is up and will
 * never take these values. `failed`: anything else, most often a mistake in the statement or a missing table.
 */
export type SqlFailure = "unavailable" | "refused" | "failed";

/** The one error of SQL databases. `message` never holds a password, an address with one, or values of rows. */
export class SqlError extends Error {
  override readonly name = "SqlError";
  readonly failure: SqlFailure;
  /** SQLSTATE, SQLite's name or the system's; undefined where none was given. */
  readonly code: string | undefined;

  constructor(failure: SqlFailure, message: string, code?: string) {
    super(message);
    this.failure = failure;
    this.code = code;
  }
}
