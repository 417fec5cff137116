import { newTeamAnswer, newTeamBody, newUserAnswer, newUserBody } from "@fairlead/contract/admin-api/litellm-api";
import type { Role } from "@fairlead/contract/names";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import { checkGrant } from "../routes/user-routes.ts";
import { setAmounts } from "./amounts.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { ownModels } from "./key-fields.ts";
import { generateKey } from "./litellm-key-routes.ts";

const userFields: ReadonlySet<string> = new Set(["user_id", "user_email", "user_role", "auto_create_key", "metadata"]);

/** What a request says of a key, for one that makes none. */
function keyFieldsOf(body: Readonly<Record<string, unknown>>): string[] {
  const isGiven = (field: string): boolean => body[field] !== null && body[field] !== undefined;
  return Object.keys(newUserBody.shape).filter((field) => !userFields.has(field) && isGiven(field));
}

const roleOf: Readonly<Record<string, Role>> = { proxy_admin: "admin", proxy_admin_viewer: "viewer" };

function userRoute(deps: AdminDeps): AdminRoute {
  return adminRoute({
    method: "post",
    path: "/user/new",
    permission: "users.write",
    summary: "Make a user, with a key unless told otherwise (LiteLLM's names)",
    body: newUserBody,
    answer: newUserAnswer,
    async handle({ body, by, actor }) {
      const wanted = body.user_role ?? "internal_user";
      const role = roleOf[wanted] ?? "member";
      checkGrant(by, role);
      const email = body.user_email?.toLowerCase();
      const id = body.user_id ?? deps.randomness.id();
      const made = await deps.directory.change(actor, async (changes) => {
        const user = await changes.insert("user", {
          id,
          kind: email === undefined ? "service" : "person",
          name: email ?? id,
          role,
          disabled: false,
          passwordHash: undefined,
          oidcSubject: undefined,
        });
        const wantsKey = body.auto_create_key ?? true;
        return wantsKey ? generateKey(changes, { ...body, user_id: user.id }, undefined, deps) : undefined;
      });
      await deps.changed();
      return {
        user_id: id,
        user_email: email ?? null,
        user_role: wanted,
        key: made?.text ?? null,
        ignored_fields: [...(made?.ignored ?? keyFieldsOf(body)), ...ignoredFields(newUserBody, body)],
      };
    },
  });
}

function teamRoute(deps: AdminDeps): AdminRoute {
  return adminRoute({
    method: "post",
    path: "/team/new",
    permission: "teams.write",
    summary: "Make a team; its id here is its name (LiteLLM's names)",
    body: newTeamBody,
    answer: newTeamAnswer,
    async handle({ body, actor }) {
      // One name is all a team has here: the id, by which tools go on to ask for it.
      const name = body.team_id ?? body.team_alias ?? `team-${deps.randomness.id().slice(0, 12)}`;
      const alias = body.team_alias ?? name;
      const team = await deps.directory.change(actor, async (changes) => {
        const tags = [...new Set([...(body.tags ?? []), ...(body.metadata?.tags ?? [])])];
        const draft = { name, models: ownModels(body.models), tags, disabled: body.blocked ?? false };
        const inserted = await changes.insert("team", draft);
        const lost = await setAmounts(changes, { kind: "team", value: name }, body);
        return { ...inserted, lost };
      });
      await deps.changed();
      const lost = [...(alias === name ? [] : ["team_alias"]), ...team.lost];
      return {
        team_id: team.name,
        team_alias: team.name,
        models: [...team.models],
        blocked: team.disabled,
        max_budget: body.max_budget ?? null,
        ignored_fields: [...lost, ...ignoredFields(newTeamBody, body)],
      };
    },
  });
}

/** `/user/new` and `/team/new` as LiteLLM's management API has them. */
export function litellmOwnerRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [userRoute(deps), teamRoute(deps)];
}
