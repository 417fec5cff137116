import { z } from "zod";
import { roles } from "../names.ts";
import { email, newPassword, presentedPassword } from "./user-api.ts";
import { pageOf, wireTime } from "./wire-fields.ts";

export const signInBody = z.strictObject({
  email: z
    .string()
    .min(1)
    .max(254)
    .transform((text) => text.toLowerCase()),
  password: presentedPassword,
});

export const setupBody = z.strictObject({ token: z.string().min(1).max(200), email, password: newPassword });

export const changePasswordBody = z.strictObject({ current: presentedPassword, password: newPassword });
export const passwordChangedAnswer = z.strictObject({ changed: z.literal(true) });

export const sessionAnswer = z.strictObject({
  kind: z.enum(["session", "token", "operator"]),
  user: z.string().nullable().describe("Id; null for the operator's token."),
  name: z.string(),
  role: z.enum(roles),
  csrf_token: z
    .string()
    .nullable()
    .describe("Send it as `x-csrf-token` with every change; null where no cookie is used."),
  expires_at: wireTime.nullable(),
});

export const sessionItem = z.strictObject({
  id: z.string(),
  current: z.boolean(),
  address: z.string(),
  created_at: wireTime,
  last_seen_at: wireTime,
});
export const sessionPage = pageOf(sessionItem);

/** What a browser needs to know before anybody signed in. */
export const signInOptionsAnswer = z.strictObject({
  setup_needed: z.boolean().describe("Nobody owns this gateway yet: use the first-run token."),
  oidc: z.boolean(),
});

export const signedOutAnswer = z.strictObject({ signed_out: z.literal(true) });

export const oidcLoginQuery = z.strictObject({
  return_to: z
    .string()
    .max(500)
    .regex(/^\/(?![/\\])[\x21-\x7e]*$/, "a path of this gateway")
    .default("/admin/v1/session")
    .describe("Where the browser goes in the end."),
});
export const oidcCallbackQuery = z.looseObject({
  state: z.string().max(500).optional(),
  code: z.string().max(4000).optional(),
  error: z.string().max(500).optional(),
});
export type SessionAnswer = z.output<typeof sessionAnswer>;
