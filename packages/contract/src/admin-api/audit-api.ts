import { z } from "zod";
import { pageOf, pageQuery, wireTime } from "./wire-fields.ts";

export const auditAnswer = z.strictObject({
  id: z.string(),
  at: wireTime,
  actor: z.string().describe("`user:<id>`, `operator`, `setup`, or `unknown`."),
  address: z.string(),
  action: z.string(),
  subject: z.string(),
  before: z.unknown().describe("Without secrets; null where there was nothing."),
  after: z.unknown(),
});
export const listAuditQuery = z.strictObject({
  ...pageQuery,
  actor: z.string().max(300).optional(),
  subject: z.string().max(300).optional(),
  action: z.string().max(100).optional(),
});
export const auditPage = pageOf(auditAnswer);
export type AuditAnswer = z.output<typeof auditAnswer>;
