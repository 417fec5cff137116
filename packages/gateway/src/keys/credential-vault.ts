/** Encrypts what must be read again: secrets of providers. The name is bound to the text, so neither can be swapped. */
export interface CredentialVault {
  seal(name: string, value: string): Promise<string>;
  /** @throws GatewayError `store_unavailable` when the text was not sealed under this name with this secret */
  open(name: string, sealed: string): Promise<string>;
}
