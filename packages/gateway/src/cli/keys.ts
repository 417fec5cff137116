import { budgetAnswer, limitAnswer } from "@fairlead/contract/admin-api/budget-api";
import { createdKeyAnswer, type KeyAnswer, keyAnswer, keyPage } from "@fairlead/contract/admin-api/key-api";
import { deletedAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { AdminClient } from "./admin-client.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { findOne } from "./find-one.ts";
import { budgetOption, durationSeconds, futureTime, pairs, positive } from "./parse-options.ts";
import { listText, renderTable, timeText } from "./table.ts";

export interface CreateKeyOptions {
  readonly team?: string;
  readonly user?: string;
  readonly model?: readonly string[];
  /** Allowed strategies; the first is its usual one where `strategy` is not given. */
  readonly allowStrategy?: readonly string[];
  readonly strategy?: string;
  readonly alias?: readonly string[];
  readonly tag?: readonly string[];
  readonly region?: string;
  readonly localOnly?: boolean;
  readonly batch?: boolean;
  readonly expires?: string;
  readonly budget?: string;
  readonly rpm?: string;
  readonly tpm?: string;
  readonly concurrency?: string;
}

const path = "/admin/v1/keys";
const ok = (output: string): CommandResult => ({ exitCode: 0, output });
const asJson = (value: unknown): CommandResult => ok(JSON.stringify(value, null, 2));
const at = (id: string): string => `${path}/${encodeURIComponent(id)}`;

async function find(client: AdminClient, reference: string): Promise<KeyAnswer> {
  return findOne(await client.all<KeyAnswer>(path, keyPage), reference, "key");
}

function stateOf(key: KeyAnswer, nowMs: number): string {
  if (key.disabled) return "disabled";
  if (key.expires_at !== null && Date.parse(key.expires_at) <= nowMs) return "expired";
  const old = key.previous_valid_until;
  return old !== null && Date.parse(old) > nowMs ? `rotated, old one until ${timeText(old)}` : "active";
}

/** Lists keys; the keys themselves are nowhere to be seen again. */
export async function listKeys(
  client: AdminClient,
  filters: { readonly team?: string | undefined; readonly user?: string | undefined },
  json: boolean,
  nowMs: number,
): Promise<CommandResult> {
  const keys = await client.all<KeyAnswer>(path, keyPage, filters);
  if (json) return asJson({ data: keys });
  if (keys.length === 0) return ok("There are no keys.");
  const columns = ["NAME", "ID", "KEY", "TEAM", "MODELS", "EXPIRES", "STATE"].map((title) => ({ title }));
  const rows = keys.map((key) => [
    key.name,
    key.id,
    key.prefix,
    key.team ?? "-",
    listText(key.models, "all"),
    timeText(key.expires_at),
    stateOf(key, nowMs),
  ]);
  return ok(renderTable(columns, rows));
}

function describe(key: KeyAnswer, nowMs: number): string {
  const aliases = Object.entries(key.aliases).map(([alias, model]) => `${alias} → ${model}`);
  const lines: readonly (readonly [string, string])[] = [
    ["name", key.name],
    ["id", key.id],
    ["key", key.prefix],
    ["state", stateOf(key, nowMs)],
    ["team", key.team ?? "-"],
    ["user", key.user ?? "-"],
    ["models", listText(key.models, "all")],
    ["strategies", key.strategies === null ? "all" : listText(key.strategies, "none")],
    ["strategy", key.strategy ?? "the gateway's"],
    ["aliases", listText(aliases, "-")],
    ["tags", listText(key.tags, "-")],
    ["region", key.region ?? "-"],
    ["data", key.data ?? "-"],
    ["expires", timeText(key.expires_at)],
    ["created", timeText(key.created_at)],
  ];
  return renderTable([{ title: "" }, { title: "" }], lines).trimStart();
}

/** Shows one key by id or name. */
export async function showKey(
  client: AdminClient,
  reference: string,
  json: boolean,
  nowMs: number,
): Promise<CommandResult> {
  const key = await find(client, reference);
  return json ? asJson(key) : ok(describe(key, nowMs));
}

const shownOnce = "Keep it now: it is shown this once and kept nowhere.";

/**
 * Makes a key, with a budget and a limit of its own where they are asked for. The key is told even when those fail:
 * nobody could see it again.
 */
export async function createKey(
  client: AdminClient,
  name: string,
  options: CreateKeyOptions,
  json: boolean,
  nowMs: number,
): Promise<CommandResult> {
  const budget = options.budget === undefined ? undefined : budgetOption(options.budget, "--budget");
  const limit = {
    ...(options.rpm !== undefined && { requests_per_minute: positive(options.rpm, "--rpm", true) }),
    ...(options.tpm !== undefined && { tokens_per_minute: positive(options.tpm, "--tpm", true) }),
    ...(options.concurrency !== undefined && { concurrency: positive(options.concurrency, "--concurrency", true) }),
  };
  const created = await client.post(path, createdKeyAnswer, {
    name,
    team: options.team ?? null,
    user: options.user ?? null,
    models: options.model ?? [],
    strategies: options.allowStrategy ?? null,
    strategy: options.strategy ?? null,
    aliases: pairs(options.alias ?? [], "--alias"),
    tags: options.tag ?? [],
    region: options.region ?? null,
    data: options.localOnly === true ? "local-only" : null,
    priority: options.batch === true ? "batch" : null,
    expires_at: options.expires === undefined ? null : futureTime(options.expires, "--expires", nowMs),
  });
  const scope = { key: created.id };
  const faults: string[] = [];
  if (budget !== undefined) {
    const body = { name: `key ${created.id}`, scope, limit_usd: budget.limitUsd, window: budget.window };
    await client.post("/admin/v1/budgets", budgetAnswer, body).catch(noted(faults, "its budget"));
  }
  if (Object.keys(limit).length > 0) {
    const body = { name: `key ${created.id}`, scope, ...limit };
    await client.post("/admin/v1/limits", limitAnswer, body).catch(noted(faults, "its limit"));
  }
  const exitCode = faults.length === 0 ? 0 : 1;
  if (json)
    return { exitCode, output: JSON.stringify(faults.length === 0 ? created : { ...created, faults }, null, 2) };
  return { exitCode, output: [created.key, "", `${created.name} (${created.id}). ${shownOnce}`, ...faults].join("\n") };
}

function noted(faults: string[], what: string): (thrown: unknown) => void {
  return (thrown) => {
    if (!(thrown instanceof CommandError)) throw thrown;
    faults.push(`The key was made, but ${what} was not: ${thrown.message}`);
  };
}

/** Gives a key a new secret; the old one is still taken for the grace period. */
export async function rotateKey(
  client: AdminClient,
  reference: string,
  grace: string | undefined,
  json: boolean,
): Promise<CommandResult> {
  const seconds = grace === undefined ? undefined : grace === "0" ? 0 : durationSeconds(grace, "--grace");
  const key = await find(client, reference);
  const body = seconds === undefined ? {} : { grace_seconds: seconds };
  const rotated = await client.post(`${at(key.id)}/rotate`, createdKeyAnswer, body);
  if (json) return asJson(rotated);
  const until = rotated.previous_valid_until;
  const old = until === null ? "The old one is no longer taken." : `The old one is taken until ${timeText(until)}.`;
  return ok([rotated.key, "", `${rotated.name} (${rotated.id}). ${shownOnce} ${old}`].join("\n"));
}

/** Refuses a key, or takes it again. */
export async function switchKey(
  client: AdminClient,
  reference: string,
  disabled: boolean,
  json: boolean,
): Promise<CommandResult> {
  const key = await find(client, reference);
  const changed = await client.patch(at(key.id), keyAnswer, { disabled, version: key.version });
  return json ? asJson(changed) : ok(`${changed.name} (${changed.id}) is ${disabled ? "disabled" : "enabled"}.`);
}

/** Deletes a key; its rows stay in the ledger. */
export async function deleteKey(client: AdminClient, reference: string, json: boolean): Promise<CommandResult> {
  const key = await find(client, reference);
  const deleted = await client.delete(at(key.id), deletedAnswer);
  return json ? asJson(deleted) : ok(`${key.name} (${key.id}) is deleted.`);
}
