import type { Migration } from "../migration.ts";

const table = (name: string, unique: readonly string[], listed: readonly string[]): readonly string[] => [
  `CREATE TABLE ${name} (
    id TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    data TEXT NOT NULL${[...unique, ...listed].map((index) => `,\n    by_${index} TEXT`).join("")}
  )`,
  `CREATE INDEX ${name}_newest ON ${name} (created_at DESC, id DESC)`,
  ...unique.map((index) => `CREATE UNIQUE INDEX ${name}_by_${index} ON ${name} (by_${index})`),
  ...listed.map((index) => `CREATE INDEX ${name}_by_${index} ON ${name} (by_${index}, created_at DESC, id DESC)`),
];

const statements: readonly string[] = [
  ...table("virtual_keys", ["name", "hash"], ["team", "user"]),
  ...table("teams", ["name"], []),
  ...table("team_members", ["pair"], ["team", "user"]),
  ...table("users", ["name", "oidc_subject"], ["kind", "role", "disabled"]),
  ...table("admin_tokens", ["hash"], ["user"]),
  ...table("admin_sessions", ["hash"], ["user"]),
  ...table("budgets", ["name"], ["scope"]),
  ...table("rate_limits", ["name"], ["scope"]),
  ...table("credentials", [], []),
  ...table("config_versions", [], []),
  ...table("audit_log", [], ["actor", "subject", "action"]),
  "CREATE TABLE directory_version (id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
  "INSERT INTO directory_version (id, version) VALUES (1, 1)",
];

/** Keys, teams, users, what they may do, and the audit log. */
export const identity: Migration = { version: 2, name: "identity", statements: () => statements };
