import type { RuleConfig, SelectionConfig, StrategyConfig } from "@fairlead/contract/strategy-schema";
import { parseDocument, stringify } from "yaml";
import type { BuiltIn } from "./built-in-strategies.ts";

const layout = { lineWidth: 110 } as const;

function withoutDefaults(selection: SelectionConfig): object {
  const { order, ...rest } = selection;
  return order === "listed" ? rest : { ...rest, order };
}

function writtenSelections(selections: SelectionConfig | readonly SelectionConfig[]): object {
  return Array.isArray(selections) ? selections.map(withoutDefaults) : withoutDefaults(selections as SelectionConfig);
}

function writtenRule({ reason, prefer, fallback, ...rule }: RuleConfig): object {
  const { name, description, when, confinedTo } = rule;
  return {
    name,
    ...(description !== undefined && { description }),
    ...(when !== undefined && { when }),
    ...(reason !== "strategy" && { reason }),
    prefer: writtenSelections(prefer),
    ...(fallback !== undefined && { fallback: writtenSelections(fallback) }),
    ...(confinedTo !== undefined && { confinedTo }),
  };
}

/** Writes a strategy as it may stand under `strategies`; defaults are left out. */
export function writeStrategy(name: string, { description, settings, control, rules = [] }: StrategyConfig): string {
  const written = {
    ...(description !== undefined && { description }),
    ...(Object.keys(settings).length > 0 && { settings }),
    ...(control !== undefined && { control }),
    rules: rules.map(writtenRule),
  };
  return stringify({ [name]: written }, layout);
}

/** The text of a built-in strategy, comments included, with a config's settings and control laid over it. */
export function withSettings({ name, text }: BuiltIn, { description, settings, control }: StrategyConfig): string {
  const document = parseDocument(text);
  if (description !== undefined) document.setIn([name, "description"], description);
  for (const [key, value] of Object.entries(settings)) document.setIn([name, "settings", key], value);
  if (control !== undefined) document.setIn([name, "control"], control);
  return document.toString(layout);
}
