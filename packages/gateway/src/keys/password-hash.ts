/** Hashes passwords slowly on purpose, in the PHC format. */
export interface PasswordHash {
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
}
