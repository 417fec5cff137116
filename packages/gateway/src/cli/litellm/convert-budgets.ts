import type { FairleadConfigInput, UpstreamConfigInput } from "@fairlead/contract/config-schema";
import { litellmProvider } from "../../upstreams/litellm-provider.ts";
import type { ConversionNotes } from "./conversion.ts";
import type { LitellmConfig } from "./read-litellm.ts";

type Budgets = NonNullable<FairleadConfigInput["budgets"]>;
type Window = NonNullable<Budgets[string]["window"]>;

const hoursOf: Readonly<Record<string, number>> = { s: 1 / 3600, m: 1 / 60, h: 1, d: 24, w: 168, mo: 720 };

/** Converts the budget of all, and those of providers, into hard budgets that refuse. */
export function convertBudgets(
  { litellm_settings: settings, router_settings: router }: LitellmConfig,
  upstreams: Readonly<Record<string, UpstreamConfigInput>>,
  notes: ConversionNotes,
): Budgets {
  const budgets: Budgets = {};
  const put = (name: string, scope: Budgets[string]["scope"], limitUsd: number, duration: string, path: string) => {
    const window = windowOf(duration);
    if (window === undefined) {
      notes.lost(path, `\`${duration}\` is no time from an hour to a year, such as \`1d\` or \`30d\``);
      return;
    }
    if (window === "month" && duration !== "1mo")
      notes.lost(
        path,
        `\`${duration}\` became the calendar's month: say \`window: { rollingHours: 720 }\` for 30 days`,
      );
    budgets[name] = { scope, limitUsd, window, onExhausted: "refuse" };
  };
  if (settings?.max_budget != null) {
    const { budget_duration: duration } = settings;
    if (duration == null)
      notes.lost("litellm_settings.max_budget", "has no end (`budget_duration`): budgets here hold for a time");
    else put("total", "total", settings.max_budget, duration, "litellm_settings.budget_duration");
  }
  for (const [provider, { budget_limit: limit, time_period: period }] of Object.entries(
    router?.provider_budget_config ?? {},
  )) {
    const path = `router_settings.provider_budget_config.${provider}`;
    const found = litellmProvider("*", provider, undefined);
    const isUsed = found.kind === "preset" && Object.values(upstreams).some(({ preset }) => preset === found.preset);
    if (found.kind === "preset" && isUsed)
      put(found.preset, { provider: found.preset }, limit, period, `${path}.time_period`);
    else notes.lost(path, "is about a provider that was not imported");
  }
  return budgets;
}

/** A day, a week and a month begin with the calendar's here; any other time rolls. */
function windowOf(duration: string): Window | undefined {
  const [, count = "", unit = ""] = /^(\d+)(s|m|h|d|w|mo)$/.exec(duration) ?? [];
  const hours = Number(count) * (hoursOf[unit] ?? Number.NaN);
  if (hours === 1) return "hour";
  if (hours === 24) return "day";
  if (hours === 168) return "week";
  if (hours === 720) return "month";
  return hours >= 1 && hours <= 8_784 ? { rollingHours: hours } : undefined;
}
