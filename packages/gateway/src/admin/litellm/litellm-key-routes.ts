import {
  deletedKeysAnswer,
  deleteKeysBody,
  generatedKeyAnswer,
  generateKeyBody,
  keyInfoAnswer,
  keyInfoQuery,
  type LitellmKeyFields,
  litellmKeyAnswer,
  updateLitellmKeyBody,
} from "@fairlead/contract/admin-api/litellm-api";
import { toDollars } from "../../core/money.ts";
import type { DirectoryChanges } from "../../keys/directory.ts";
import type { VirtualKey } from "../../keys/directory-entities.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute, notFound } from "../admin-route.ts";
import { keyMaterial, removeKey } from "../key-drafts.ts";
import { findAmounts, setAmounts } from "./amounts.ts";
import { ignoredFields } from "./ignored-fields.ts";
import { presentedVirtualKey, readKeyFields, shownKey } from "./key-fields.ts";

const spendRangeMs = 30 * 86_400_000;

/** Makes a key as a request describes it, with its budget and limit. Returns its text, shown this once, and the fields that meant nothing. */
export async function generateKey(
  changes: DirectoryChanges,
  body: LitellmKeyFields,
  given: string | undefined,
  deps: AdminDeps,
): Promise<{ readonly text: string; readonly key: VirtualKey; readonly ignored: readonly string[] }> {
  const { text, stored } = keyMaterial(deps, given);
  const id = deps.randomness.id();
  const fresh = { name: `key-${id.slice(0, 12)}`, team: undefined, user: undefined, expiresAt: undefined };
  const empty = { ...fresh, models: [], aliases: {}, tags: [], disabled: false };
  const fields = await readKeyFields(changes, body, empty, deps.clock.now());
  const rest = { previous: undefined, strategies: undefined, strategy: undefined, region: undefined };
  const key = await changes.insert("key", { id, ...stored, ...rest, ...fields });
  const ignored = await setAmounts(changes, { kind: "key", value: key.id }, body);
  return { text, key, ignored };
}

async function spendOf(key: VirtualKey, deps: AdminDeps): Promise<number> {
  const { budget } = await findAmounts(deps.directory, { kind: "key", value: key.id });
  const position = budget === undefined ? undefined : await deps.budgetStatus.position(budget.id);
  if (position !== undefined) return toDollars(position.spent);
  const toMs = deps.clock.now();
  const scope = { kind: "key", value: key.id } as const;
  const buckets = await deps.ledger.database.spent(scope, toMs - spendRangeMs, toMs);
  return toDollars(buckets.reduce((sum, { cost }) => sum + cost, 0));
}

/** `/key/…` as LiteLLM's management API has it. */
export function litellmKeyRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { directory } = deps;
  return [
    adminRoute({
      method: "post",
      path: "/key/generate",
      permission: "keys.write",
      summary: "Make a key (LiteLLM's names)",
      body: generateKeyBody,
      answer: generatedKeyAnswer,
      async handle({ body, actor }) {
        const { key: given, ...fields } = body;
        const made = await directory.change(actor, (changes) => generateKey(changes, fields, given ?? undefined, deps));
        await deps.changed();
        const shown = await shownKey(directory, made.key);
        return { key: made.text, ...shown, ignored_fields: [...made.ignored, ...ignoredFields(generateKeyBody, body)] };
      },
    }),
    adminRoute({
      method: "get",
      path: "/key/info",
      permission: "keys.read",
      summary: "Read a key by itself or its id (LiteLLM's names)",
      query: keyInfoQuery,
      answer: keyInfoAnswer,
      async handle({ query }) {
        const key = await presentedVirtualKey(directory, query.key, deps);
        return { key: key.id, info: { ...(await shownKey(directory, key)), spend: await spendOf(key, deps) } };
      },
    }),
    adminRoute({
      method: "post",
      path: "/key/update",
      permission: "keys.write",
      summary: "Change a key (LiteLLM's names)",
      body: updateLitellmKeyBody,
      answer: litellmKeyAnswer,
      async handle({ body, actor }) {
        const { key, lost } = await directory.change(actor, async (changes) => {
          const old = await presentedVirtualKey(changes, body.key, deps);
          const fields = await readKeyFields(changes, body, old, deps.clock.now());
          const lost = await setAmounts(changes, { kind: "key", value: old.id }, body);
          return { key: await changes.update("key", { ...old, ...fields }), lost };
        });
        await deps.changed();
        const ignored = [...lost, ...ignoredFields(updateLitellmKeyBody, body)];
        return { ...(await shownKey(directory, key)), ignored_fields: ignored };
      },
    }),
    adminRoute({
      method: "post",
      path: "/key/delete",
      permission: "keys.write",
      summary: "Delete keys (LiteLLM's names)",
      body: deleteKeysBody,
      answer: deletedKeysAnswer,
      async handle({ body, actor }) {
        const deleted = await directory.change(actor, async (changes) => {
          const keys: VirtualKey[] = [];
          for (const text of body.keys ?? []) keys.push(await presentedVirtualKey(changes, text, deps));
          for (const alias of body.key_aliases ?? []) {
            const key = await changes.find("key", "name", alias);
            if (key === undefined) throw notFound("key", alias);
            keys.push(key);
          }
          const unique = new Map(keys.map((key) => [key.id, key]));
          for (const key of unique.values()) await removeKey(changes, key);
          return [...unique.keys()];
        });
        await deps.changed();
        return { deleted_keys: deleted, ignored_fields: ignoredFields(deleteKeysBody, body) };
      },
    }),
  ];
}
