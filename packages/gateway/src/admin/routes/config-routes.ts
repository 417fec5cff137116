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

interface Change {
  readonly text: string;
  readonly note: string | undefined;
  readonly action: string;
  /** Version the change is based on; undefined for any. */
  readonly base?: string | undefined;
}

/** Keeps the config that no apply has put in force, so that there is a way back to it. Returns what it kept. */
async function keepRunning(deps: AdminDeps, control: ConfigControl, actor: Actor): Promise<readonly string[]> {
  const id = control.current().version;
  return deps.directory.change(actor, async (changes) => {
    if ((await changes.get("config", id)) !== undefined) return [];
    const draft = { id, text: control.kept(), by: actor.name, note: "ran before the first change" };
    return [(await changes.insert("config", draft, "config.kept")).id];
  });
}

async function applyText(deps: AdminDeps, actor: Actor, { text, note, action, base }: Change) {
  const control = controlOf(deps);
  if (base !== undefined && base !== control.current().version) {
    throw new GatewayError("conflict", "Another config runs by now. Read it and repeat the change.");
  }
  const plan = await control.plan(text);
  const [problem] = plan.problems;
  if (problem !== undefined) {
    const { path: at, message, line, column } = problem;
    const place = line === undefined ? "" : `${line}:${column ?? 1} `;
    const more =
      plan.problems.length === 1 ? "" : ` (and ${plan.problems.length - 1} more; /config/validate lists them)`;
    throw new GatewayError("invalid_request", `${place}${at}: ${message}${more}`, { param: "text" });
  }
  const { directory } = deps;
  const kept = await keepRunning(deps, control, actor);
  const version = await directory.change(actor, (changes) =>
    changes.insert("config", { text, by: actor.name, note }, action),
  );
  // Not inside the change: applying reads stored credentials, which would wait for the change to end.
  try {
    await control.apply(text, version.id);
  } catch (thrown) {
    await directory.change(actor, async (changes) => {
      for (const id of [version.id, ...kept]) await changes.remove("config", id, "config.failed");
    });
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
        return controlOf(deps).current();
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
        const change = { text: body.text, note: body.note, action: "config.applied", base: body.base_version };
        return controlOf(deps).exclusively(() => applyText(deps, actor, change));
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
        const change = { text: version.text, note: `roll back to ${version.id}`, action: "config.rolled_back" };
        return controlOf(deps).exclusively(() => applyText(deps, actor, change));
      },
    }),
  ];
}
