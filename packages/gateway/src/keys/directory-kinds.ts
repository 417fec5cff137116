import type { DirectoryEntities, DirectoryKind } from "./directory-entities.ts";

interface KindSpec<T> {
  /** Values a thing can be found by, one thing at most for each. */
  readonly unique: Readonly<Record<string, (thing: T) => string | undefined>>;
  /** Values a list can be narrowed by. */
  readonly listed: Readonly<Record<string, (thing: T) => string | undefined>>;
  /** Fields that never leave the directory, not even into the audit log. */
  readonly hidden: readonly (keyof T & string)[];
  /** Kept in memory by every replica. */
  readonly mirrored: boolean;
  /** What is written to the audit log: everything, or only that it began and ended. */
  readonly audited: "all" | "ends" | "never";
}

const disabledMark = (thing: { readonly disabled: boolean }): string => (thing.disabled ? "yes" : "no");

/** How each kind is found, listed, hidden, mirrored and audited. Stores make columns of `unique` and `listed`. */
export const directoryKinds = {
  key: {
    unique: { name: (key) => key.name, hash: (key) => key.hash },
    listed: { team: (key) => key.team, user: (key) => key.user },
    hidden: ["hash", "previous"],
    mirrored: true,
    audited: "all",
  },
  team: {
    unique: { name: (team) => team.name },
    listed: {},
    hidden: [],
    mirrored: true,
    audited: "all",
  },
  member: {
    unique: { pair: (member) => `${member.user} ${member.team}` },
    listed: { team: (member) => member.team, user: (member) => member.user },
    hidden: [],
    mirrored: false,
    audited: "all",
  },
  user: {
    unique: { name: (user) => user.name, oidc_subject: (user) => user.oidcSubject },
    listed: { kind: (user) => user.kind, role: (user) => user.role, disabled: disabledMark },
    hidden: ["passwordHash"],
    mirrored: true,
    audited: "all",
  },
  token: {
    unique: { hash: (token) => token.hash },
    listed: { user: (token) => token.user },
    hidden: ["hash"],
    mirrored: false,
    audited: "all",
  },
  session: {
    unique: { hash: (session) => session.hash },
    listed: { user: (session) => session.user },
    hidden: ["hash", "csrf"],
    mirrored: false,
    audited: "ends",
  },
  budget: {
    unique: { name: (budget) => budget.name },
    listed: { scope: (budget) => `${budget.scope.kind}:${budget.scope.value ?? ""}` },
    hidden: [],
    mirrored: true,
    audited: "all",
  },
  limit: {
    unique: { name: (limit) => limit.name },
    listed: { scope: (limit) => `${limit.scope.kind}:${limit.scope.value}` },
    hidden: [],
    mirrored: true,
    audited: "all",
  },
  credential: { unique: {}, listed: {}, hidden: ["sealed"], mirrored: false, audited: "all" },
  config: { unique: {}, listed: {}, hidden: ["text"], mirrored: false, audited: "all" },
  audit: {
    unique: {},
    listed: {
      actor: (entry) => entry.actor,
      subject: (entry) => entry.subject,
      action: (entry) => entry.action,
    },
    hidden: [],
    mirrored: false,
    audited: "never",
  },
} as const satisfies { readonly [K in DirectoryKind]: KindSpec<DirectoryEntities[K]> };

/** The same table without its literal types, for code that treats all kinds alike. */
export function kindSpec<K extends DirectoryKind>(kind: K): KindSpec<DirectoryEntities[K]> {
  return directoryKinds[kind] as unknown as KindSpec<DirectoryEntities[K]>;
}

export type UniqueIndex<K extends DirectoryKind> = keyof (typeof directoryKinds)[K]["unique"] & string;
export type ListIndex<K extends DirectoryKind> = keyof (typeof directoryKinds)[K]["listed"] & string;
