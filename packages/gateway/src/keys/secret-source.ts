/**
 * A place that secrets are read from, before the config that refers to them is resolved: the store now, a secret manager
 * where somebody writes one of these for it. Environment and files need none: they are read while resolving.
 */
export interface SecretSource {
  /** The key of the reference in a config, for example `store` in `{ store: name }`. */
  readonly name: string;
  /** Undefined for a reference that does not exist there. May throw when the place cannot be reached or read. */
  read(reference: string): Promise<string | undefined>;
}
