/** Thrown when the database is up and will never take these rows, however often they come. */
export class LedgerRefusal extends Error {
  override readonly name = "LedgerRefusal";
}
