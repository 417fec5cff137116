import { CommandError } from "./command-error.ts";

/** Finds what a person names by id or by name. @throws CommandError when nothing, or more than one thing, is called so */
export function findOne<T extends { readonly id: string; readonly name: string }>(
  all: readonly T[],
  reference: string,
  what: string,
): T {
  const byId = all.find(({ id }) => id === reference);
  if (byId !== undefined) return byId;
  const named = all.filter(({ name }) => name === reference);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  if (named.length > 1) {
    throw new CommandError(
      `${named.length} ${what}s are called ${reference}: take an id (${named.map(({ id }) => id).join(", ")}).`,
    );
  }
  throw new CommandError(`There is no ${what} ${reference}.`);
}
