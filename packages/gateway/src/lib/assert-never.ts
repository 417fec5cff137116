/** Marks a branch the types rule out; at run time it names the value that slipped through. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
