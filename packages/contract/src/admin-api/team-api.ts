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

const settings = {
  models: wireModels.describe("Models its keys may use; empty for all."),
  tags: wireTags.describe("Added to those of its keys."),
  data: wireData,
  priority: wirePriority,
};

export const teamAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  ...settings,
  disabled: z.boolean().describe("Refuses every key of the team."),
  created_at: wireTime,
  version: z.number().int(),
});

export const createTeamBody = z.strictObject({
  name: wireName,
  models: settings.models.default([]),
  tags: settings.tags.default([]),
  data: settings.data.default(null),
  priority: settings.priority.default(null),
});

/** The name is how keys, budgets and the ledger refer to a team, and stays. */
export const updateTeamBody = z
  .strictObject({ ...settings, disabled: z.boolean() })
  .partial()
  .extend({ version: wireVersion.optional() });

export const listTeamsQuery = z.strictObject(pageQuery);
export const teamPage = pageOf(teamAnswer);

export const memberAnswer = z.strictObject({ team: z.string(), user: z.string(), created_at: wireTime });
export const addMemberBody = z.strictObject({ user: wireId });
export const memberParams = z.strictObject({ id: wireId, user: wireId });
export const memberPage = pageOf(memberAnswer);

export type TeamAnswer = z.output<typeof teamAnswer>;
