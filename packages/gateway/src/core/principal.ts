/** Who asks. Issued by `policy/authenticate`, carried to the ledger. */
export interface Principal {
  readonly kind: "anonymous" | "shared-key" | "virtual-key";
  /** Stable id of the key, never the key itself; undefined for anonymous use. */
  readonly keyId: string | undefined;
  readonly team: string | undefined;
}

export const anonymous: Principal = { kind: "anonymous", keyId: undefined, team: undefined };
