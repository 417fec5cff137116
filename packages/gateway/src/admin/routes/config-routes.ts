import {
  applyConfigBody,
  configAnswer,
  configAppliedAnswer,
  configBody,
  configCheckAnswer,
  configPlanAnswer,
  configVersionPage,
  listConfigQuery,
} from "@fairlead/contract/admin-api/config-api";
import { idParams } from "@fairlead/contract/admin-api/wire-fields";
import { GatewayError } from "../../core/errors.ts";
import type { ConfigCheck, ConfigControl, ConfigFinding } from "../../keys/config-control.ts";
import type { Actor } from "../../keys/directory.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, notFound } from "../admin-route.ts";
import { isoTime } from "../wire-time.ts";

const path = "/admin/v1/config";

function controlOf(deps: AdminDeps): ConfigControl {
  if (deps.config === undefined) {
    throw new GatewayError("not_found", "This gateway runs without a config file, so there is none to read or change.");
  }
  return deps.config;
}

const findingOf = ({ path: at, message, line, column }: ConfigFinding) => ({
  path: at,
  message,
  line: line ?? null,
  column: column ?? null,
});

const checkOf = ({ problems, warnings }: ConfigCheck) => ({
  valid: problems.length === 0,
  problems: problems.map(findingOf),
  warnings: [...warnings],
});

async function applyText(deps: AdminDeps, actor: Actor, text: string, note: string | undefined, action: string) {
  const control = controlOf(deps);
  const plan = await control.plan(text);
  const [problem] = plan.problems;
  if (problem !== undefined) {
    throw new GatewayError("invalid_request", `${problem.path}: ${problem.message}`, { param: "text" });
  }
  const { directory } = deps;
  const version = await directory.change(actor, (changes) =>
    changes.insert("config", { text, by: actor.name, note }, action),
  );
  // Not inside the change: applying reads stored credentials, which would wait for the change to end.
  try {
    await control.apply(text, version.id);
  } catch (thrown) {
    await directory.change(actor, (changes) => changes.remove("config", version.id, "config.failed"));
    throw thrown;
  }
  await deps.changed();
  return { version: version.id, restart_needed: [...plan.restartNeeded] };
}

function readRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "config.read",
      summary: "Read the running config, without secrets",
      answer: configAnswer,
      async handle() {
        const { version, text } = controlOf(deps).current();
        return { version: version ?? null, text };
      },
    }),
    adminRoute({
      method: "post",
      path: `${path}/validate`,
      permission: "config.write",
      summary: "Check a config",
      body: configBody,
      answer: configCheckAnswer,
      handle: async ({ body }) => checkOf(await controlOf(deps).plan(body.text)),
    }),
    adminRoute({
      method: "post",
      path: `${path}/plan`,
      permission: "config.write",
      summary: "Show what a config would change",
      body: configBody,
      answer: configPlanAnswer,
      async handle({ body }) {
        const plan = await controlOf(deps).plan(body.text);
        return { ...checkOf(plan), changes: [...plan.changes], restart_needed: [...plan.restartNeeded] };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/versions`,
      permission: "config.read",
      summary: "List applied configs, newest first",
      query: listConfigQuery,
      answer: configVersionPage,
      async handle({ query }) {
        const { items, next } = await deps.directory.list("config", { limit: query.limit, after: query.cursor });
        const data = items.map(({ id, by, note, createdAt }) => ({
          id,
          by,
          note: note ?? null,
          created_at: isoTime(createdAt),
        }));
        return { data, next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "get",
      path: `${path}/versions/{id}`,
      permission: "config.read",
      summary: "Read an applied config, without secrets",
      params: idParams,
      answer: configAnswer,
      async handle({ params }) {
        const version = await deps.directory.get("config", params.id);
        if (version === undefined) throw notFound("config version", params.id);
        return { version: version.id, text: controlOf(deps).redact(version.text) };
      },
    }),
  ];
}

/** The config: read, check, compare, apply, and go back to an earlier one. */
export function configRoutes(deps: AdminDeps): readonly AdminRoute[] {
  return [
    ...readRoutes(deps),
    adminRoute({
      method: "post",
      path: `${path}/apply`,
      permission: "config.write",
      summary: "Put a config in force without a restart",
      body: applyConfigBody,
      answer: configAppliedAnswer,
      async handle({ body, actor }) {
        const running = controlOf(deps).current().version ?? null;
        if (body.base_version !== undefined && body.base_version !== running) {
          throw new GatewayError("conflict", "Another config runs by now. Read it and repeat the change.");
        }
        return applyText(deps, actor, body.text, body.note, "config.applied");
      },
    }),
    adminRoute({
      method: "post",
      path: `${path}/versions/{id}/roll-back`,
      permission: "config.write",
      summary: "Put an earlier config in force again",
      params: idParams,
      answer: configAppliedAnswer,
      async handle({ params, actor }) {
        const version = await deps.directory.get("config", params.id);
        if (version === undefined) throw notFound("config version", params.id);
        return applyText(deps, actor, version.text, `roll back to ${version.id}`, "config.rolled_back");
      },
    }),
  ];
}
