/** What a verified signed token says about its bearer. The same object for the same token. */
export interface TokenClaims {
  readonly issuer: string;
  readonly user: string;
  readonly team: string | undefined;
  readonly tags: readonly string[];
}

/** Checks signed tokens of configured issuers. */
export interface TokenVerifier {
  /** Cheap; whether `verify` is worth asking. */
  looksLike(presented: string): boolean;
  /**
   * Answers at once for a token seen before.
   * @throws GatewayError `unauthorized` for a token that is wrong or expired, `store_unavailable` when the issuer's keys
   * cannot be had
   */
  verify(presented: string): TokenClaims | Promise<TokenClaims>;
}
