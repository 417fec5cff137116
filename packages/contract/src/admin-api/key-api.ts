import { z } from "zod";
import {
  pageOf,
  pageQuery,
  wireData,
  wireId,
  wireModels,
  wireName,
  wirePriority,
  wireTags,
  wireTime,
  wireVersion,
} from "./wire-fields.ts";

const strategy = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "the name of a strategy");

const settings = {
  team: wireName.nullable().describe("Team whose models, tags, budgets and limits hold as well."),
  user: wireId.nullable().describe("Id of the person or service account it belongs to."),
  models: wireModels.describe(
    "Models it may use: names, `<upstream>/<model>`, `@local`, `@cloud`, `prefix*`; empty for all.",
  ),
  strategies: z.array(strategy).min(1).nullable().describe("Strategies it may use; null for all."),
  aliases: z.record(z.string().min(1).max(200), z.string().min(1).max(200)).describe("Its own names for models."),
  strategy: strategy.nullable().describe("How its `auto` is placed unless the request says."),
  tags: wireTags.describe("Stand in every row of the ledger."),
  region: z.string().min(1).max(100).nullable().describe("Where its requests belong: near upstreams are preferred."),
  data: wireData,
  priority: wirePriority,
  expires_at: wireTime.nullable(),
};

export const keyAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  prefix: z.string().describe("The first characters, to recognise it by."),
  ...settings,
  disabled: z.boolean(),
  previous_valid_until: wireTime.nullable().describe("Until when the key before the last rotation is still taken."),
  created_at: wireTime,
  version: z.number().int(),
});

export const createdKeyAnswer = keyAnswer.extend({
  key: z.string().describe("The key itself. It is shown this once and kept nowhere."),
});

export const createKeyBody = z.strictObject({
  name: wireName,
  team: settings.team.default(null),
  user: settings.user.default(null),
  models: settings.models.default([]),
  strategies: settings.strategies.default(null),
  aliases: settings.aliases.default({}),
  strategy: settings.strategy.default(null),
  tags: settings.tags.default([]),
  region: settings.region.default(null),
  data: settings.data.default(null),
  priority: settings.priority.default(null),
  expires_at: settings.expires_at.default(null),
});

export const updateKeyBody = z
  .strictObject({ name: wireName, ...settings, disabled: z.boolean() })
  .partial()
  .extend({ version: wireVersion.optional() });

export const rotateKeyBody = z.strictObject({
  grace_seconds: z
    .number()
    .int()
    .min(0)
    .max(2_592_000)
    .default(86_400)
    .describe("How long the old key is still taken."),
});

export const listKeysQuery = z.strictObject({
  ...pageQuery,
  team: wireName.optional(),
  user: wireId.optional(),
});

export const keyPage = pageOf(keyAnswer);

export type KeyAnswer = z.output<typeof keyAnswer>;
export type CreatedKeyAnswer = z.output<typeof createdKeyAnswer>;
export type CreateKeyBody = z.output<typeof createKeyBody>;
export type UpdateKeyBody = z.output<typeof updateKeyBody>;
