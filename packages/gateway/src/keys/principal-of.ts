import { createHash } from "node:crypto";
import { anonymous, type Principal } from "../core/principal.ts";
import { isRoutingTag } from "../core/routing-tag.ts";
import type { Team, VirtualKey } from "./directory-entities.ts";
import type { TokenClaims } from "./token-verifier.ts";

const lists = (...all: readonly (readonly string[] | undefined)[]): readonly (readonly string[])[] =>
  all.filter((list): list is readonly string[] => list !== undefined && list.length > 0);

/** Tags of a key or token and its team; those by which the gateway itself reports are nobody's to give. */
const union = (a: readonly string[], b: readonly string[] = []): readonly string[] =>
  [...new Set([...a, ...b])].filter((tag) => !isRoutingTag(tag));

/** What a virtual key allows: its own limits and its team's hold together. */
export function principalOfKey(key: VirtualKey, team: Team | undefined): Principal {
  return {
    kind: "virtual-key",
    keyId: key.id,
    keyName: key.name,
    team: key.team,
    user: key.user,
    allowedModels: lists(key.models, team?.models),
    allowedStrategies: key.strategies === undefined ? undefined : new Set(key.strategies),
    aliases: new Map(Object.entries(key.aliases)),
    strategy: key.strategy,
    tags: union(key.tags, team?.tags),
    region: key.region,
    isLocalOnly: key.data === "local-only" || team?.data === "local-only",
    priority: key.priority ?? team?.priority,
  };
}

/** Two issuers may call different people the same: their tokens are told apart by a short digest of the issuer. */
function tokenKeyId({ issuer, user }: TokenClaims): string {
  return `jwt:${createHash("sha256").update(issuer).digest("hex").slice(0, 12)}:${user}`;
}

/** Who bears a signed token: its team's limits hold. */
export function principalOfToken(claims: TokenClaims, team: Team | undefined): Principal {
  return {
    ...anonymous,
    kind: "token",
    keyId: tokenKeyId(claims),
    team: team?.name,
    user: claims.user,
    allowedModels: lists(team?.models),
    isLocalOnly: team?.data === "local-only",
    priority: team?.priority,
    tags: union(claims.tags, team?.tags),
  };
}
