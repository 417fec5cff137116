import { memberAnswer, memberPage, type TeamAnswer, teamAnswer, teamPage } from "@fairlead/contract/admin-api/team-api";
import { deletedAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { z } from "zod";
import type { AdminClient } from "./admin-client.ts";
import type { CommandResult } from "./config-check.ts";
import { findOne } from "./find-one.ts";
import { listText, renderTable, timeText } from "./table.ts";

const path = "/admin/v1/teams";
const ok = (output: string): CommandResult => ({ exitCode: 0, output });
const asJson = (value: unknown): CommandResult => ok(JSON.stringify(value, null, 2));
const at = (id: string): string => `${path}/${encodeURIComponent(id)}`;

async function find(client: AdminClient, reference: string): Promise<TeamAnswer> {
  return findOne(await client.all<TeamAnswer>(path, teamPage), reference, "team");
}

export async function listTeams(client: AdminClient, json: boolean): Promise<CommandResult> {
  const teams = await client.all<TeamAnswer>(path, teamPage);
  if (json) return asJson({ data: teams });
  if (teams.length === 0) return ok("There are no teams.");
  const columns = ["NAME", "ID", "MODELS", "TAGS", "STATE", "CREATED"].map((title) => ({ title }));
  const rows = teams.map((team) => [
    team.name,
    team.id,
    listText(team.models, "all"),
    listText(team.tags, "-"),
    team.disabled ? "disabled" : "active",
    timeText(team.created_at),
  ]);
  return ok(renderTable(columns, rows));
}

export async function createTeam(
  client: AdminClient,
  name: string,
  options: {
    readonly model?: readonly string[];
    readonly tag?: readonly string[];
    readonly localOnly?: boolean;
    readonly batch?: boolean;
  },
  json: boolean,
): Promise<CommandResult> {
  const body = {
    name,
    models: options.model ?? [],
    tags: options.tag ?? [],
    data: options.localOnly === true ? "local-only" : null,
    priority: options.batch === true ? "batch" : null,
  };
  const team = await client.post(path, teamAnswer, body);
  return json ? asJson(team) : ok(`${team.name} (${team.id}) is made.`);
}

export async function deleteTeam(client: AdminClient, reference: string, json: boolean): Promise<CommandResult> {
  const team = await find(client, reference);
  const deleted = await client.delete(at(team.id), deletedAnswer);
  return json ? asJson(deleted) : ok(`${team.name} (${team.id}) is deleted.`);
}

/** Takes people in or out by their ids, then lists who is in the team. */
export async function teamMembers(
  client: AdminClient,
  reference: string,
  changes: { readonly add?: readonly string[]; readonly remove?: readonly string[] },
  json: boolean,
): Promise<CommandResult> {
  const team = await find(client, reference);
  const members = `${at(team.id)}/members`;
  for (const user of changes.add ?? []) await client.post(members, memberAnswer, { user });
  for (const user of changes.remove ?? []) {
    await client.delete(`${members}/${encodeURIComponent(user)}`, deletedAnswer);
  }
  const listed = await client.all<z.output<typeof memberAnswer>>(members, memberPage);
  if (json) return asJson({ data: listed });
  if (listed.length === 0) return ok(`Nobody is in ${team.name}.`);
  const columns = ["USER", "SINCE"].map((title) => ({ title }));
  return ok(
    renderTable(
      columns,
      listed.map(({ user, created_at: since }) => [user, timeText(since)]),
    ),
  );
}
