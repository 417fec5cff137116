import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import type { ConversionNotes } from "./conversion.ts";
import { environmentReference } from "./environment-reference.ts";
import type { LitellmConfig } from "./read-litellm.ts";

export interface ConvertedSettings {
  readonly config: Pick<FairleadConfigInput, "auth">;
  readonly routing: NonNullable<FairleadConfigInput["routing"]>;
}

const keyVariable = "FAIRLEAD_API_KEY";

/** Settings that were converted elsewhere, or that we do without: dropped parameters are always left out and reported. */
const handled = [
  ...["fallbacks", "context_window_fallbacks", "default_fallbacks", "num_retries", "allowed_fails", "cooldown_time"],
  ...["timeout", "request_timeout", "drop_params", "max_budget", "budget_duration", "model_group_alias"],
  ...["provider_budget_config", "routing_strategy", "master_key", "database_url", "set_verbose", "telemetry"],
];

const reasons: Readonly<Record<string, string>> = {
  success_callback: "has no counterpart: usage is in the ledger and at `/metrics`",
  failure_callback: "has no counterpart: failures are in the log, the ledger and at `/metrics`",
  callbacks: "has no counterpart: usage is in the ledger and at `/metrics`",
  cache: "has no counterpart yet",
  cache_params: "has no counterpart yet",
  redis_host: "has no counterpart yet: limits and budgets are counted in each process",
};

/** Converts the client's key and what happens to an attempt that fails. */
export function convertSettings(litellm: LitellmConfig, notes: ConversionNotes): ConvertedSettings {
  const { litellm_settings: settings, router_settings: router, general_settings: general } = litellm;
  for (const section of ["litellm_settings", "router_settings", "general_settings"] as const) {
    for (const [name, value] of Object.entries(litellm[section] ?? {})) {
      if (handled.includes(name) || value === null || value === undefined) continue;
      notes.lost(`${section}.${name}`, reasons[name] ?? "has no counterpart");
    }
  }
  const strategy = router?.["routing_strategy"];
  if (typeof strategy === "string") {
    notes.lost(
      "router_settings.routing_strategy",
      `\`${strategy}\` was left out: targets are tried in the order in which they are listed`,
    );
  }
  if (general?.database_url != null) {
    notes.lost(
      "general_settings.database_url",
      "is LiteLLM's own: set `storage.url` for a database of Fairlead's, and make keys, teams and budgets anew",
    );
  }
  const retries = router?.num_retries ?? settings?.num_retries ?? undefined;
  const failures = router?.allowed_fails ?? settings?.allowed_fails ?? undefined;
  const cooldown = router?.cooldown_time ?? settings?.cooldown_time ?? undefined;
  const breaker = {
    ...(failures !== undefined && { failures: Math.max(1, failures) }),
    ...(cooldown !== undefined && { cooldownMs: Math.round(cooldown * 1000) }),
  };
  if (retries !== undefined && retries > 5) notes.lost("num_retries", "is more than 5, the most there is here");
  return {
    config: authOf(general?.master_key ?? undefined, notes),
    routing: {
      ...(retries !== undefined && { retriesPerTarget: Math.min(5, retries) }),
      ...(Object.keys(breaker).length > 0 && { breaker }),
    },
  };
}

function authOf(masterKey: string | undefined, notes: ConversionNotes): Pick<FairleadConfigInput, "auth"> {
  if (masterKey === undefined) return {};
  const env = environmentReference(masterKey) ?? keyVariable;
  if (environmentReference(masterKey) === undefined) {
    notes.lost(
      "general_settings.master_key",
      `is a key in the file itself: it was not copied; set it as ${keyVariable}`,
    );
  }
  notes.variables.set(env, "the key that clients send");
  return { auth: { key: { env } } };
}
