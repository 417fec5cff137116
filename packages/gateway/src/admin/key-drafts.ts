import type { CreateKeyBody, KeyAnswer, UpdateKeyBody } from "@fairlead/contract/admin-api/key-api";
import { GatewayError } from "../core/errors.ts";
import type { DirectoryChanges, Draft } from "../keys/directory.ts";
import type { VirtualKey } from "../keys/directory-entities.ts";
import { keyPrefix, newKeyText } from "../keys/key-text.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { fromIsoTime, isoTime, optionalIsoTime } from "./wire-time.ts";

export function keyAnswerOf(key: VirtualKey): KeyAnswer {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    team: key.team ?? null,
    user: key.user ?? null,
    models: [...key.models],
    strategies: key.strategies === undefined ? null : [...key.strategies],
    aliases: { ...key.aliases },
    strategy: key.strategy ?? null,
    tags: [...key.tags],
    region: key.region ?? null,
    data: key.data ?? null,
    priority: key.priority ?? null,
    expires_at: optionalIsoTime(key.expiresAt),
    disabled: key.disabled,
    previous_valid_until: optionalIsoTime(key.previous?.graceUntil),
    created_at: isoTime(key.createdAt),
    version: key.version,
  };
}

/** A new key's text, or `given` if somebody chose it, with what is stored of it. */
export function keyMaterial(
  deps: AdminDeps,
  given?: string,
): { text: string; stored: Pick<VirtualKey, "hash" | "prefix"> } {
  const text = given ?? newKeyText("fl", deps.randomBytes);
  return { text, stored: { hash: deps.hash(text), prefix: keyPrefix(text) } };
}

export function keyDraft(body: CreateKeyBody, stored: Pick<VirtualKey, "hash" | "prefix">): Draft<"key"> {
  return {
    ...stored,
    name: body.name,
    previous: undefined,
    team: body.team ?? undefined,
    user: body.user ?? undefined,
    models: body.models,
    strategies: body.strategies ?? undefined,
    aliases: body.aliases,
    strategy: body.strategy ?? undefined,
    tags: body.tags,
    region: body.region ?? undefined,
    data: body.data ?? undefined,
    priority: body.priority ?? undefined,
    expiresAt: fromIsoTime(body.expires_at),
    disabled: false,
  };
}

/** Lays what a request names over a key; what it leaves out stays. */
export function changedKey(key: VirtualKey, body: UpdateKeyBody): VirtualKey {
  const given = <T>(value: T | null | undefined, old: T | undefined): T | undefined =>
    value === undefined ? old : (value ?? undefined);
  return {
    ...key,
    version: body.version ?? key.version,
    name: body.name ?? key.name,
    team: given(body.team, key.team),
    user: given(body.user, key.user),
    models: body.models ?? key.models,
    strategies: given(body.strategies, key.strategies),
    aliases: body.aliases ?? key.aliases,
    strategy: given(body.strategy, key.strategy),
    tags: body.tags ?? key.tags,
    region: given(body.region, key.region),
    data: given(body.data, key.data),
    priority: given(body.priority, key.priority),
    expiresAt: body.expires_at === undefined ? key.expiresAt : fromIsoTime(body.expires_at),
    disabled: body.disabled ?? key.disabled,
  };
}

/** @throws GatewayError `invalid_request` for a team or user that does not exist */
export async function checkOwners(
  changes: DirectoryChanges,
  owners: { readonly team: string | undefined; readonly user: string | undefined },
): Promise<void> {
  const { team, user } = owners;
  if (team !== undefined && (await changes.find("team", "name", team)) === undefined) {
    const message = `team is ${JSON.stringify(team)}: expected the name of a team that exists.`;
    throw new GatewayError("invalid_request", message, { param: "team" });
  }
  if (user !== undefined && (await changes.get("user", user)) === undefined) {
    const message = `user is ${JSON.stringify(user)}: expected the id of a user that exists.`;
    throw new GatewayError("invalid_request", message, { param: "user" });
  }
}

/** @throws GatewayError `invalid_request` for a strategy that the config in force does not have */
export function checkStrategies(
  { strategy, strategies }: Pick<UpdateKeyBody, "strategy" | "strategies">,
  deps: AdminDeps,
): void {
  const known = deps.strategies();
  const check = (name: string, param: string): void => {
    if (known.includes(name)) return;
    const message = `${param} is ${JSON.stringify(name)}: expected one of ${known.join(", ")}.`;
    throw new GatewayError("invalid_request", message, { param });
  };
  if (strategy != null) check(strategy, "strategy");
  for (const [i, name] of (strategies ?? []).entries()) check(name, `strategies[${i}]`);
}

/** Removes the budgets and limits that are about nothing but one key or team, given by its id or name. */
export async function removeRules(changes: DirectoryChanges, kind: "key" | "team", value: string): Promise<void> {
  const page = { limit: 1000, where: { scope: `${kind}:${value}` } };
  for (const budget of (await changes.list("budget", page)).items) await changes.remove("budget", budget.id);
  for (const limit of (await changes.list("limit", page)).items) await changes.remove("limit", limit.id);
}

/** Removes a key with the budgets and limits that are about nothing else. */
export async function removeKey(changes: DirectoryChanges, key: VirtualKey): Promise<void> {
  for (const value of [key.id, key.name]) await removeRules(changes, "key", value);
  await changes.remove("key", key.id);
}
