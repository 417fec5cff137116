import { type Role, roles } from "@fairlead/contract/names";

/** What one may do with the admin API. `_own` shows only what belongs to who asks. */
const lowestRole = {
  "session.own": "member",
  "keys.read_own": "member",
  "usage.read_own": "member",
  "keys.read": "viewer",
  "teams.read": "viewer",
  "budgets.read": "viewer",
  "limits.read": "viewer",
  "usage.read": "viewer",
  "savings.read": "viewer",
  "experiments.read": "viewer",
  "upstreams.read": "viewer",
  "upstreams.write": "admin",
  "prices.read": "viewer",
  "decisions.read": "viewer",
  "ledger.export": "viewer",
  "config.read": "viewer",
  "keys.write": "admin",
  "teams.write": "admin",
  "users.read": "admin",
  "users.write": "admin",
  "budgets.write": "admin",
  "limits.write": "admin",
  "ledger.reprice": "admin",
  "config.write": "owner",
  "credentials.read": "admin",
  "credentials.write": "admin",
  "audit.read": "admin",
  "users.grant_high": "owner",
} as const satisfies Record<string, Role>;

export type Permission = keyof typeof lowestRole;
export const permissions = Object.keys(lowestRole) as Permission[];

/** Lower is mightier. */
const rank = (role: Role): number => roles.indexOf(role);

/** Whether the role has the permission; mightier roles have all that weaker ones have. */
export function may(role: Role, permission: Permission): boolean {
  return rank(role) <= rank(lowestRole[permission]);
}

/** Whether who has `role` may give, change or take away `other`: owners and admins are made by owners only. */
export function mayGrant(role: Role, other: Role): boolean {
  return other === "owner" || other === "admin" ? may(role, "users.grant_high") : may(role, "users.write");
}

/** The mightiest of several. */
export function highestRole(candidates: readonly Role[]): Role | undefined {
  return roles.find((role) => candidates.includes(role));
}
