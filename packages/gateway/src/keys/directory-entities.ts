import type { Role } from "@fairlead/contract/names";
import type { StrategyName } from "@fairlead/contract/routing-names";
import type { Budget, RateLimit } from "../core/budget.ts";

/** What every stored thing has. `version` begins at 1 and grows with each change; times are milliseconds since 1970. */
export interface Stored {
  readonly id: string;
  readonly version: number;
  readonly createdAt: number;
}

/** A key clients present. Only keyed hashes of it are kept. */
export interface VirtualKey extends Stored {
  readonly name: string;
  /** The first characters, for people to recognise it by. */
  readonly prefix: string;
  readonly hash: string;
  /** The key before the last rotation, still good until `graceUntil`. */
  readonly previous: { readonly hash: string; readonly graceUntil: number } | undefined;
  /** Name of the team. */
  readonly team: string | undefined;
  /** Id of the user it belongs to. */
  readonly user: string | undefined;
  /** Empty for all. */
  readonly models: readonly string[];
  readonly strategies: readonly StrategyName[] | undefined;
  readonly aliases: Readonly<Record<string, string>>;
  readonly strategy: StrategyName | undefined;
  readonly tags: readonly string[];
  readonly region: string | undefined;
  /** Its prompts never leave self-hosted upstreams. Absent in what older versions wrote. */
  readonly data?: "local-only" | undefined;
  /** Its requests give way to interactive ones. Absent in what older versions wrote. */
  readonly priority?: "batch" | undefined;
  readonly expiresAt: number | undefined;
  readonly disabled: boolean;
}

/** People and accounts that share models, tags, budgets and limits. Its name is how everything else refers to it. */
export interface Team extends Stored {
  readonly name: string;
  /** Empty for all. */
  readonly models: readonly string[];
  readonly tags: readonly string[];
  /** As a key's own. */
  readonly data?: "local-only" | undefined;
  /** As a key's own. */
  readonly priority?: "batch" | undefined;
  readonly disabled: boolean;
}

export interface TeamMember extends Stored {
  /** Name of the team. */
  readonly team: string;
  readonly user: string;
}

/** A person or a service account. */
export interface User extends Stored {
  readonly kind: "person" | "service";
  /** A person's address in lower case, a service account's name. Unique. */
  readonly name: string;
  readonly role: Role;
  readonly disabled: boolean;
  /** In the PHC format; undefined for who never signs in with one. */
  readonly passwordHash: string | undefined;
  /** `<issuer> <subject>` of who signs in through OpenID Connect. */
  readonly oidcSubject: string | undefined;
}

/** A token (`fla-…`) with which a user calls the admin API. */
export interface AdminToken extends Stored {
  readonly user: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: string;
  readonly expiresAt: number | undefined;
}

/** A browser that signed in. */
export interface Session extends Stored {
  readonly user: string;
  readonly hash: string;
  readonly csrf: string;
  readonly lastSeenAt: number;
  readonly address: string;
}

/** A provider's secret, encrypted. Its id is its name. */
export interface StoredCredential extends Stored {
  readonly sealed: string;
}

/** A config that was applied through the API. */
export interface ConfigVersion extends Stored {
  readonly text: string;
  readonly by: string;
  readonly note: string | undefined;
}

/** One change: who, what, when, from where. `before` and `after` hold no secret. */
export interface AuditEntry extends Stored {
  readonly actor: string;
  readonly address: string;
  readonly action: string;
  readonly subject: string;
  readonly before: unknown;
  readonly after: unknown;
}

export type StoredBudget = Budget & Stored;
export type StoredLimit = RateLimit & Stored;

/** Everything the directory keeps, by kind. */
export interface DirectoryEntities {
  readonly key: VirtualKey;
  readonly team: Team;
  readonly member: TeamMember;
  readonly user: User;
  readonly token: AdminToken;
  readonly session: Session;
  readonly budget: StoredBudget;
  readonly limit: StoredLimit;
  readonly credential: StoredCredential;
  readonly config: ConfigVersion;
  readonly audit: AuditEntry;
}

export type DirectoryKind = keyof DirectoryEntities;
