import { z } from "zod";
import { pageOf, pageQuery, wireId, wireTime } from "./wire-fields.ts";

const text = z.string().min(1).max(1_000_000).describe("A config file, YAML or JSON.");

export const configAnswer = z.strictObject({
  version: z.string().describe("Id of the applied version, or one made of the text the process started with."),
  text: z.string().describe("Without secrets."),
});
export const configBody = z.strictObject({ text });
export const applyConfigBody = z.strictObject({
  text,
  note: z.string().max(500).optional(),
  base_version: z.string().max(200).optional().describe("Refused with 409 when another version runs."),
});

export const configProblem = z.strictObject({
  path: z.string(),
  message: z.string(),
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
});
export const configCheckAnswer = z.strictObject({
  valid: z.boolean(),
  problems: z.array(configProblem),
  warnings: z.array(z.string()),
});
export const configPlanAnswer = configCheckAnswer.extend({
  changes: z.array(
    z.strictObject({
      path: z.string(),
      change: z.enum(["added", "removed", "changed"]),
      before: z.unknown(),
      after: z.unknown(),
    }),
  ),
  restart_needed: z.array(z.string()).describe("Paths that only hold after a restart."),
});
export const configAppliedAnswer = z.strictObject({ version: z.string(), restart_needed: z.array(z.string()) });
export const configVersionAnswer = z.strictObject({
  id: z.string(),
  by: z.string(),
  note: z.string().nullable(),
  created_at: wireTime,
});
export const listConfigQuery = z.strictObject(pageQuery);
export const configVersionPage = pageOf(configVersionAnswer);

export const credentialParams = z.strictObject({
  name: wireId.regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name of letters, digits and . _ -"),
});
export const setCredentialBody = z.strictObject({ value: z.string().min(1).max(20_000) });
export const credentialAnswer = z.strictObject({ name: z.string(), created_at: wireTime, version: z.number().int() });
export const listCredentialsQuery = z.strictObject(pageQuery);
export const credentialPage = pageOf(credentialAnswer);
