import type { Role } from "@fairlead/contract/names";
import type { Secret } from "../../lib/secret.ts";

/** How people sign in through an identity provider. */
export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly scopes: readonly string[];
  readonly roleClaim: string;
  readonly roles: Readonly<Record<string, Role>>;
  /** Of who has none by claim; without it they are refused. */
  readonly defaultRole: Role | undefined;
}
