import { z } from "zod";
import { wireId, wireModels, wireName, wireTags } from "./wire-fields.ts";

/**
 * The part of LiteLLM's management API that tools use most, under its own names. Requests may hold more: what has no
 * meaning here is listed in the answer's `ignored_fields`, never silently dropped.
 */

const duration = z
  .string()
  .regex(/^\d{1,9}(s|m|h|d|w|mo)$/, "a number and s, m, h, d, w or mo, for example `30d`")
  .nullable();

const amounts = {
  max_budget: z.number().min(0).max(1_000_000_000).nullable().optional().describe("US dollars."),
  budget_duration: duration.optional(),
  rpm_limit: z.number().int().min(1).max(1_000_000_000).nullable().optional(),
  tpm_limit: z.number().int().min(1).max(1_000_000_000_000).nullable().optional(),
  max_parallel_requests: z.number().int().min(1).max(1_000_000).nullable().optional(),
};

const metadata = z.looseObject({ tags: wireTags.nullable().optional() }).nullable().optional();

const keyFields = {
  key_alias: wireName.nullable().optional(),
  team_id: wireId.nullable().optional(),
  user_id: wireId.nullable().optional(),
  models: wireModels.nullable().optional(),
  aliases: z.record(z.string().max(200), z.string().max(200)).nullable().optional(),
  duration: duration.optional(),
  blocked: z.boolean().nullable().optional(),
  tags: wireTags.nullable().optional(),
  metadata,
  ...amounts,
};

const customKey = z
  .string()
  .min(32)
  .max(200)
  .regex(/^[\x21-\x7e]+$/, "printable characters without spaces");

export const generateKeyBody = z.looseObject({ ...keyFields, key: customKey.nullable().optional() });
export const updateLitellmKeyBody = z.looseObject({ ...keyFields, key: z.string().min(1).max(200) });
export const deleteKeysBody = z.looseObject({
  keys: z.array(z.string().min(1).max(200)).max(100).nullable().optional(),
  key_aliases: z.array(wireName).max(100).nullable().optional(),
});
export const keyInfoQuery = z.looseObject({ key: z.string().min(1).max(200) });

export const newUserBody = z.looseObject({
  user_email: z.email().max(254).nullable().optional(),
  user_role: z
    .enum(["proxy_admin", "proxy_admin_viewer", "internal_user", "internal_user_viewer"])
    .nullable()
    .optional(),
  auto_create_key: z.boolean().nullable().optional(),
  ...keyFields,
});

export const newTeamBody = z.looseObject({
  team_id: wireName.nullable().optional(),
  team_alias: wireName.nullable().optional(),
  models: wireModels.nullable().optional(),
  blocked: z.boolean().nullable().optional(),
  tags: wireTags.nullable().optional(),
  metadata,
  ...amounts,
});

export const spendLogsQuery = z.looseObject({
  api_key: z.string().max(200).optional(),
  user_id: wireId.optional(),
  request_id: wireId.optional(),
  start_date: z.iso.date().optional(),
  end_date: z.iso.date().optional(),
});

const ignored = { ignored_fields: z.array(z.string()) };
const shown = {
  key_alias: z.string(),
  key_name: z.string(),
  token_id: z.string(),
  team_id: z.string().nullable(),
  user_id: z.string().nullable(),
  models: z.array(z.string()),
  aliases: z.record(z.string(), z.string()),
  tags: z.array(z.string()),
  expires: z.string().nullable(),
  blocked: z.boolean(),
  max_budget: z.number().nullable(),
  budget_duration: z.string().nullable(),
  rpm_limit: z.number().nullable(),
  tpm_limit: z.number().nullable(),
  max_parallel_requests: z.number().nullable(),
  created_at: z.string(),
};
export const litellmKeyAnswer = z.strictObject({ ...shown, ...ignored });
export const generatedKeyAnswer = z.strictObject({ key: z.string(), ...shown, ...ignored });
export const keyInfoAnswer = z.strictObject({
  key: z.string().describe("Id of the key."),
  info: z.strictObject({ ...shown, spend: z.number().describe("US dollars in the window of its budget, or 30 days.") }),
});
export const deletedKeysAnswer = z.strictObject({ deleted_keys: z.array(z.string()), ...ignored });
export const newUserAnswer = z.strictObject({
  user_id: z.string(),
  user_email: z.string().nullable(),
  user_role: z.string(),
  key: z.string().nullable(),
  ...ignored,
});
export const newTeamAnswer = z.strictObject({
  team_id: z.string(),
  team_alias: z.string(),
  models: z.array(z.string()),
  blocked: z.boolean(),
  max_budget: z.number().nullable(),
  ...ignored,
});
export const modelInfoAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      model_name: z.string(),
      litellm_params: z.strictObject({ model: z.string() }),
      model_info: z.strictObject({
        id: z.string(),
        litellm_provider: z.string(),
        mode: z.literal("chat"),
        max_input_tokens: z.number().nullable(),
        max_output_tokens: z.number().nullable(),
        input_cost_per_token: z.number().nullable(),
        output_cost_per_token: z.number().nullable(),
      }),
    }),
  ),
});
export const spendLogsAnswer = z.array(
  z.strictObject({
    request_id: z.string(),
    call_type: z.literal("acompletion"),
    api_key: z.string(),
    spend: z.number(),
    prompt_tokens: z.number(),
    completion_tokens: z.number(),
    total_tokens: z.number(),
    startTime: z.string(),
    endTime: z.string(),
    model: z.string(),
    custom_llm_provider: z.string(),
    user: z.string(),
    team_id: z.string(),
    request_tags: z.array(z.string()),
    status: z.enum(["success", "failure"]),
  }),
);

export type LitellmKeyFields = z.output<z.ZodObject<typeof keyFields>>;
export type LitellmAmounts = z.output<z.ZodObject<typeof amounts>>;
export type LitellmShownKey = Omit<z.output<typeof litellmKeyAnswer>, "ignored_fields">;
