import {
  addMemberBody,
  createTeamBody,
  listTeamsQuery,
  memberAnswer,
  memberPage,
  memberParams,
  type TeamAnswer,
  teamAnswer,
  teamPage,
  updateTeamBody,
} from "@fairlead/contract/admin-api/team-api";
import { deletedAnswer, idParams } from "@fairlead/contract/admin-api/wire-fields";
import { GatewayError } from "../../core/errors.ts";
import type { DirectoryReads } from "../../keys/directory.ts";
import type { Team } from "../../keys/directory-entities.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted, notFound } from "../admin-route.ts";
import { removeRules } from "../key-drafts.ts";
import { isoTime } from "../wire-time.ts";

const path = "/admin/v1/teams";

function teamAnswerOf(team: Team): TeamAnswer {
  return {
    id: team.id,
    name: team.name,
    models: [...team.models],
    tags: [...team.tags],
    data: team.data ?? null,
    priority: team.priority ?? null,
    disabled: team.disabled,
    created_at: isoTime(team.createdAt),
    version: team.version,
  };
}

async function teamOf(reads: DirectoryReads, id: string): Promise<Team> {
  const team = (await reads.get("team", id)) ?? (await reads.find("team", "name", id));
  if (team === undefined) throw notFound("team", id);
  return team;
}

function teamCrud(deps: AdminDeps): readonly AdminRoute[] {
  const { directory } = deps;
  return [
    adminRoute({
      method: "get",
      path,
      permission: "teams.read",
      summary: "List teams",
      query: listTeamsQuery,
      answer: teamPage,
      async handle({ query }) {
        const { items, next } = await directory.list("team", { limit: query.limit, after: query.cursor });
        return { data: items.map(teamAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "post",
      path,
      permission: "teams.write",
      summary: "Make a team",
      body: createTeamBody,
      answer: teamAnswer,
      status: 201,
      async handle({ body, actor }) {
        const team = await directory.change(actor, (changes) =>
          changes.insert("team", {
            ...body,
            data: body.data ?? undefined,
            priority: body.priority ?? undefined,
            disabled: false,
          }),
        );
        await deps.changed();
        return teamAnswerOf(team);
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/{id}`,
      permission: "teams.read",
      summary: "Read a team, by id or name",
      params: idParams,
      answer: teamAnswer,
      handle: async ({ params }) => teamAnswerOf(await teamOf(directory, params.id)),
    }),
    adminRoute({
      method: "patch",
      path: `${path}/{id}`,
      permission: "teams.write",
      summary: "Change, disable or enable a team",
      params: idParams,
      body: updateTeamBody,
      answer: teamAnswer,
      async handle({ params, body, actor }) {
        const team = await directory.change(actor, async (changes) => {
          const old = await teamOf(changes, params.id);
          return changes.update("team", {
            ...old,
            version: body.version ?? old.version,
            models: body.models ?? old.models,
            tags: body.tags ?? old.tags,
            data: body.data === undefined ? old.data : (body.data ?? undefined),
            priority: body.priority === undefined ? old.priority : (body.priority ?? undefined),
            disabled: body.disabled ?? old.disabled,
          });
        });
        await deps.changed();
        return teamAnswerOf(team);
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}`,
      permission: "teams.write",
      summary: "Delete a team that has no keys, with its own budgets and limits",
      params: idParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        await directory.change(actor, async (changes) => {
          const team = await teamOf(changes, params.id);
          const { items } = await changes.list("key", { limit: 1, where: { team: team.name } });
          if (items.length > 0) {
            throw new GatewayError(
              "conflict",
              "The team still has keys. Delete or move them first, or disable the team.",
            );
          }
          const members = await changes.list("member", { limit: 1000, where: { team: team.name } });
          for (const member of members.items) await changes.remove("member", member.id);
          await removeRules(changes, "team", team.name);
          await changes.remove("team", team.id);
        });
        await deps.changed();
        return deleted(params.id);
      },
    }),
  ];
}

function memberCrud({ directory }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path: `${path}/{id}/members`,
      permission: "teams.read",
      summary: "List the members of a team",
      params: idParams,
      query: listTeamsQuery,
      answer: memberPage,
      async handle({ params, query }) {
        const team = await teamOf(directory, params.id);
        const where = { team: team.name };
        const { items, next } = await directory.list("member", { limit: query.limit, after: query.cursor, where });
        const data = items.map((one) => ({ team: one.team, user: one.user, created_at: isoTime(one.createdAt) }));
        return { data, next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "post",
      path: `${path}/{id}/members`,
      permission: "teams.write",
      summary: "Add a member to a team",
      params: idParams,
      body: addMemberBody,
      answer: memberAnswer,
      status: 201,
      async handle({ params, body, actor }) {
        const member = await directory.change(actor, async (changes) => {
          const team = await teamOf(changes, params.id);
          if ((await changes.get("user", body.user)) === undefined) throw notFound("user", body.user);
          return changes.insert("member", { team: team.name, user: body.user });
        });
        return { team: member.team, user: member.user, created_at: isoTime(member.createdAt) };
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{id}/members/{user}`,
      permission: "teams.write",
      summary: "Take a member out of a team",
      params: memberParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        await directory.change(actor, async (changes) => {
          const team = await teamOf(changes, params.id);
          const member = await changes.find("member", "pair", `${params.user} ${team.name}`);
          if (member === undefined) throw notFound("member", params.user);
          await changes.remove("member", member.id);
        });
        return deleted(params.user);
      },
    }),
  ];
}

/** Teams and who belongs to them. */
export function teamRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [...teamCrud(deps), ...memberCrud(deps)];
}
