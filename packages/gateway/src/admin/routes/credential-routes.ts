import {
  credentialAnswer,
  credentialPage,
  credentialParams,
  listCredentialsQuery,
  setCredentialBody,
} from "@fairlead/contract/admin-api/config-api";
import { deletedAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { z } from "zod";
import { GatewayError } from "../../core/errors.ts";
import type { StoredCredential } from "../../keys/directory-entities.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, deleted } from "../admin-route.ts";
import { isoTime } from "../wire-time.ts";

const path = "/admin/v1/credentials";

function credentialAnswerOf(credential: StoredCredential): z.input<typeof credentialAnswer> {
  return { name: credential.id, created_at: isoTime(credential.createdAt), version: credential.version };
}

/** Secrets of providers, kept encrypted: set, named and deleted, never shown. */
export function credentialRoutes({ directory, vault, runningConfig }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path,
      permission: "credentials.read",
      summary: "List the names of stored credentials",
      query: listCredentialsQuery,
      answer: credentialPage,
      async handle({ query }) {
        const { items, next } = await directory.list("credential", { limit: query.limit, after: query.cursor });
        return { data: items.map(credentialAnswerOf), next_cursor: next ?? null };
      },
    }),
    adminRoute({
      method: "put",
      path: `${path}/{name}`,
      permission: "credentials.write",
      summary: "Store a credential, encrypted; a config names it as `{ store: name }`",
      params: credentialParams,
      body: setCredentialBody,
      answer: credentialAnswer,
      async handle({ params, body, actor }) {
        if (!/^[\x20-\x7e]+$/.test(body.value) || body.value !== body.value.trim()) {
          const message = "value does not fit: expected printable ASCII without spaces or line ends around it.";
          throw new GatewayError("invalid_request", message, { param: "value" });
        }
        const sealed = await vault.seal(params.name, body.value);
        const credential = await directory.change(actor, async (changes) => {
          const old = await changes.get("credential", params.name);
          if (old === undefined) return changes.insert("credential", { id: params.name, sealed });
          return changes.update("credential", { ...old, sealed });
        });
        if (runningConfig.refersTo(params.name)) await runningConfig.refresh();
        return credentialAnswerOf(credential);
      },
    }),
    adminRoute({
      method: "delete",
      path: `${path}/{name}`,
      permission: "credentials.write",
      summary: "Delete a credential",
      params: credentialParams,
      answer: deletedAnswer,
      async handle({ params, actor }) {
        if (runningConfig.refersTo(params.name)) {
          throw new GatewayError("conflict", "The running config refers to this credential. Change the config first.");
        }
        await directory.change(actor, (changes) => changes.remove("credential", params.name));
        return deleted(params.name);
      },
    }),
  ];
}
