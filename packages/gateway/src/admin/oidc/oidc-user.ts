import { type Role, roles } from "@fairlead/contract/names";
import { GatewayError } from "../../core/errors.ts";
import type { Directory, DirectoryChanges } from "../../keys/directory.ts";
import type { User } from "../../keys/directory-entities.ts";
import { highestRole } from "../../keys/roles.ts";
import type { OidcSettings } from "./oidc-settings.ts";

type Claims = Readonly<Record<string, unknown>>;

/** The role a person's claims give here: the highest of those mapped, or the default. Undefined for none. */
export function roleOfClaims(claims: Claims, settings: OidcSettings): Role | undefined {
  const value = claims[settings.roleClaim];
  const named = (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === "string");
  const mapped = named.flatMap((name) => (Object.hasOwn(settings.roles, name) ? (settings.roles[name] ?? []) : []));
  return highestRole(mapped.filter((role) => roles.includes(role))) ?? settings.defaultRole;
}

function emailOf(claims: Claims): string | undefined {
  const { email } = claims;
  return typeof email === "string" && email.length <= 254 && email.includes("@") ? email.toLowerCase() : undefined;
}

async function knownUser(changes: DirectoryChanges, subject: string, claims: Claims): Promise<User | undefined> {
  const known = await changes.find("user", "oidc_subject", subject);
  const email = emailOf(claims);
  if (known !== undefined || email === undefined) return known;
  const named = await changes.find("user", "name", email);
  if (named === undefined) return undefined;
  // Otherwise whoever enters somebody's address at the provider would become them.
  if (claims["email_verified"] === true && named.kind === "person" && named.oidcSubject === undefined) return named;
  throw new GatewayError("role_forbids", "An account with this e-mail address exists and belongs to another sign-in.");
}

/**
 * Finds or makes the account of a person whom the provider vouches for. Their role follows the provider's claims with
 * each sign-in; who has a password here keeps the role given here.
 * @throws GatewayError `role_forbids` for people without a role and disabled accounts
 */
export function oidcUser(directory: Directory, claims: Claims, settings: OidcSettings, address: string): Promise<User> {
  const subject = `${settings.issuer} ${String(claims["sub"])}`;
  return directory.change({ name: "oidc", address }, async (changes) => {
    const user = await knownUser(changes, subject, claims);
    const role = roleOfClaims(claims, settings);
    if (user === undefined) {
      if (role === undefined) throw new GatewayError("role_forbids", "The identity provider gives you no role here.");
      const name = emailOf(claims) ?? subject;
      const draft = { kind: "person", name, role, disabled: false } as const;
      return changes.insert("user", { ...draft, passwordHash: undefined, oidcSubject: subject });
    }
    if (user.disabled) throw new GatewayError("role_forbids", "The account is disabled.");
    const kept = user.passwordHash === undefined ? role : user.role;
    if (kept === undefined) throw new GatewayError("role_forbids", "The identity provider gives you no role here.");
    if (kept === user.role && user.oidcSubject === subject) return user;
    return changes.update("user", { ...user, role: kept, oidcSubject: subject });
  });
}
