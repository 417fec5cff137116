import type { LitellmKeyFields, LitellmShownKey } from "@fairlead/contract/admin-api/litellm-api";
import { GatewayError } from "../../core/errors.ts";
import { toDollars } from "../../core/money.ts";
import type { DirectoryChanges, DirectoryReads } from "../../keys/directory.ts";
import type { VirtualKey } from "../../keys/directory-entities.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { isoTime, optionalIsoTime } from "../wire-time.ts";
import { findAmounts } from "./amounts.ts";
import { durationOf, endOf } from "./duration.ts";

/** The fields of a stored key that a request names; absent ones stay as `old` has them. */
export type KeyChanges = Pick<
  VirtualKey,
  "name" | "team" | "user" | "models" | "aliases" | "tags" | "expiresAt" | "disabled"
>;

async function teamName(changes: DirectoryReads, id: string): Promise<string> {
  const team = (await changes.find("team", "name", id)) ?? (await changes.get("team", id));
  if (team !== undefined) return team.name;
  const message = `team_id is ${JSON.stringify(id)}: expected a team that exists. Make it with /team/new.`;
  throw new GatewayError("invalid_request", message, { param: "team_id" });
}

/** LiteLLM's words for having no list of one's own. */
const wholeLists: ReadonlySet<string> = new Set(["all-team-models", "all-proxy-models"]);

/** The models a request means; empty for all that team and gateway have. */
export function ownModels(models: readonly string[] | null | undefined): string[] {
  const given = models ?? [];
  return given.some((model) => wholeLists.has(model)) ? [] : [...given];
}

/** Tools name users before they make them: one that does not exist becomes an account that can only own keys. */
async function userId(changes: DirectoryChanges, id: string): Promise<string> {
  if ((await changes.get("user", id)) !== undefined) return id;
  const draft = { kind: "service", name: id, role: "member", disabled: false } as const;
  const user = await changes.insert("user", { id, ...draft, passwordHash: undefined, oidcSubject: undefined });
  return user.id;
}

export async function readKeyFields(
  changes: DirectoryChanges,
  body: LitellmKeyFields,
  old: KeyChanges,
  nowMs: number,
): Promise<KeyChanges> {
  const { team_id: team, user_id: user, duration } = body;
  const tags = body.tags === undefined && body.metadata?.tags === undefined;
  const expiresAt = duration === undefined || duration === null ? undefined : endOf(duration, nowMs);
  return {
    name: body.key_alias ?? old.name,
    team: team === undefined ? old.team : team === null ? undefined : await teamName(changes, team),
    user: user === undefined ? old.user : user === null ? undefined : await userId(changes, user),
    models: body.models === undefined ? old.models : ownModels(body.models),
    aliases: body.aliases === undefined ? old.aliases : (body.aliases ?? {}),
    tags: tags ? old.tags : [...new Set([...(body.tags ?? []), ...(body.metadata?.tags ?? [])])],
    expiresAt: duration === undefined ? old.expiresAt : expiresAt,
    disabled: body.blocked ?? old.disabled,
  };
}

/** Finds a key by its own text or by its id. @throws GatewayError `not_found`, without the text */
export async function presentedVirtualKey(
  reads: DirectoryReads,
  presented: string,
  deps: AdminDeps,
): Promise<VirtualKey> {
  const key = (await reads.find("key", "hash", deps.hash(presented))) ?? (await reads.get("key", presented));
  if (key === undefined) throw new GatewayError("not_found", "There is no such key.");
  return key;
}

export async function shownKey(reads: DirectoryReads, key: VirtualKey): Promise<LitellmShownKey> {
  const { budget, limit } = await findAmounts(reads, { kind: "key", value: key.id });
  return {
    key_alias: key.name,
    key_name: key.prefix,
    token_id: key.id,
    team_id: key.team ?? null,
    user_id: key.user ?? null,
    models: [...key.models],
    aliases: { ...key.aliases },
    tags: [...key.tags],
    expires: optionalIsoTime(key.expiresAt),
    blocked: key.disabled,
    max_budget: budget === undefined ? null : toDollars(budget.limit),
    budget_duration: budget === undefined ? null : durationOf(budget.window),
    rpm_limit: limit?.requestsPerMinute ?? null,
    tpm_limit: limit?.tokensPerMinute ?? null,
    max_parallel_requests: limit?.concurrency ?? null,
    created_at: isoTime(key.createdAt),
  };
}
