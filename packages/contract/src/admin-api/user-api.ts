import { z } from "zod";
import { roles } from "../names.ts";
import { pageOf, pageQuery, wireId, wireName, wireTime, wireVersion } from "./wire-fields.ts";

const role = z.enum(roles);
export const email = z
  .string()
  .max(254)
  .pipe(z.email())
  .transform((text) => text.toLowerCase());
/** Long enough to withstand guessing, short enough to hash. */
export const newPassword = z.string().min(12).max(200);
export const presentedPassword = z.string().min(1).max(200);

export const userAnswer = z.strictObject({
  id: z.string(),
  kind: z.enum(["person", "service"]),
  name: z.string().describe("A person's e-mail address, a service account's name."),
  role,
  disabled: z.boolean(),
  signs_in_with: z.array(z.enum(["password", "oidc"])),
  created_at: wireTime,
  version: z.number().int(),
});

export const createUserBody = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("person"), email, role, password: newPassword.optional() }),
  z.strictObject({ kind: z.literal("service"), name: wireName, role }),
]);

export const updateUserBody = z
  .strictObject({ role, disabled: z.boolean(), password: newPassword })
  .partial()
  .extend({ version: wireVersion.optional() });

export const listUsersQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(["person", "service"]).optional(),
  role: role.optional(),
});
export const userPage = pageOf(userAnswer);

export const tokenAnswer = z.strictObject({
  id: z.string(),
  user: z.string(),
  name: z.string(),
  prefix: z.string(),
  expires_at: wireTime.nullable(),
  created_at: wireTime,
});
export const createdTokenAnswer = tokenAnswer.extend({
  token: z.string().describe("The token itself. It is shown this once and kept nowhere."),
});
export const createTokenBody = z.strictObject({ name: wireName, expires_at: wireTime.nullable().default(null) });
export const tokenParams = z.strictObject({ id: wireId, token: wireId });
export const tokenPage = pageOf(tokenAnswer);

export type UserAnswer = z.output<typeof userAnswer>;
