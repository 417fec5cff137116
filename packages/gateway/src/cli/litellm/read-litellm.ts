import { z } from "zod";
import { ConfigError, type Fault } from "../../config/config-error.ts";
import { placeFaults, showValue } from "../../config/config-source.ts";
import { readYaml } from "../../config/read-yaml.ts";

const text = z.string().min(1).nullish();
/** Python's YAML reads `20_000` as a number, and so do people who write for it. */
const number = (inner: z.ZodNumber) =>
  z
    .preprocess((value) => {
      const isNumeric = typeof value === "string" && /^\d[\d_]*(?:\.\d+)?(?:e-?\d+)?$/i.test(value);
      return isNumeric ? Number(value.replaceAll("_", "")) : value;
    }, inner.nullish())
    .optional();
const amount = number(z.number().positive());
const price = number(z.number().min(0));
const fallbacks = z.array(z.record(z.string(), z.array(z.string()))).nullish();

const params = z.looseObject({
  model: z.string().min(1),
  api_base: text,
  base_url: text,
  api_key: text,
  custom_llm_provider: text,
  rpm: amount,
  tpm: amount,
  max_parallel_requests: amount,
  timeout: amount,
  stream_timeout: amount,
  input_cost_per_token: price,
  output_cost_per_token: price,
  cache_read_input_token_cost: price,
  cache_creation_input_token_cost: price,
});

const info = z.looseObject({
  mode: text,
  max_tokens: amount,
  max_input_tokens: amount,
  max_output_tokens: amount,
  input_cost_per_token: params.shape.input_cost_per_token,
  output_cost_per_token: params.shape.output_cost_per_token,
  cache_read_input_token_cost: params.shape.cache_read_input_token_cost,
  cache_creation_input_token_cost: params.shape.cache_creation_input_token_cost,
});

const budgetFields = { max_budget: price, budget_duration: text };

const shared = {
  fallbacks,
  context_window_fallbacks: fallbacks,
  default_fallbacks: z.array(z.string()).nullish(),
  num_retries: number(z.number().int().min(0)),
  allowed_fails: number(z.number().int().min(0)),
  cooldown_time: price,
  timeout: amount,
};

const schema = z.looseObject({
  model_list: z.array(
    z.looseObject({
      model_name: z.string().min(1),
      litellm_params: params,
      rpm: amount,
      tpm: amount,
      model_info: info.nullish(),
    }),
  ),
  router_settings: z
    .looseObject({
      ...shared,
      model_group_alias: z.record(z.string(), z.union([z.string(), z.looseObject({ model: z.string() })])).nullish(),
      provider_budget_config: z
        .record(z.string(), z.looseObject({ budget_limit: z.number().min(0), time_period: z.string() }))
        .nullish(),
    })
    .nullish(),
  litellm_settings: z.looseObject({ ...shared, ...budgetFields, request_timeout: amount }).nullish(),
  general_settings: z.looseObject({ master_key: text, database_url: text }).nullish(),
});

export type LitellmConfig = z.output<typeof schema>;
export type LitellmModel = LitellmConfig["model_list"][number];

/**
 * Parses a LiteLLM proxy config. Members it does not know are kept.
 * @throws ConfigError with every problem at once
 */
export function readLitellm(content: string, file: string): LitellmConfig {
  // Its references to the environment are spelled otherwise: `${` means nothing there.
  const { value, source } = readYaml(content, file, {});
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue): Fault => {
    const at = issue.path.filter((segment) => typeof segment !== "symbol");
    const found = at.reduce<unknown>(
      (above, segment) => (above as Record<string, unknown> | undefined)?.[segment],
      value,
    );
    if (found === undefined) return { at, what: "is missing", expected: expectation(issue) };
    const shown = showValue(source, at, found);
    return { at, what: `${shown} is not valid`, value: shown, expected: expectation(issue) };
  });
  throw new ConfigError(file, placeFaults(source, faults));
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") {
    const names: Record<string, string> = { array: "a list", object: "a mapping", record: "a mapping", string: "text" };
    return names[issue.expected] ?? `a ${issue.expected}`;
  }
  if (issue.code === "too_small") return issue.origin === "string" ? "some text" : `more than ${issue.minimum}`;
  return issue.message.toLowerCase();
}
