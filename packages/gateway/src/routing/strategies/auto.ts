import type { Features } from "../../core/decision.ts";
import type { Deployment } from "../../core/deployment.ts";
import type { Catalogue } from "../../core/gateway-model.ts";
import type { Preference } from "../preference.ts";

/** Above this many estimated prompt tokens only long-window models are asked, the largest window first. */
export const veryLongPromptTokens = 100_000;
/** From here on a cheap model with a long window is preferred. */
export const longPromptTokens = 50_000;

const local = (target: Deployment): boolean => target.upstream.placement === "local";
const cloud = (target: Deployment): boolean => target.upstream.placement === "cloud";

const windowOf = (target: Deployment): number => target.contextWindow ?? 0;

/**
 * Prefers the local deployment while it is adequate for the request, else cloud (requirement B4, the size steps).
 * Where one placement is missing, the other serves.
 */
export function preferAuto(catalogue: Catalogue, features: Features): Preference {
  const locals = catalogue.deployments.filter(local);
  const clouds = [...new Set([...plainCloud(catalogue), ...catalogue.fallback, ...catalogue.autoCloud])].filter(cloud);
  const rest = { standIn: plainCloud(catalogue), confinedTo: undefined };
  if (locals.length === 0)
    return { reason: "no_local", targets: longOr(clouds, catalogue, features), fallback: clouds, ...rest };
  if (clouds.length === 0) return { reason: "no_cloud", targets: locals, fallback: [], ...rest };
  if (features.promptTokens > longPromptTokens) {
    const adequate = locals.filter((target) => isAdequate(target, features));
    if (adequate.length > 0 && features.promptTokens <= veryLongPromptTokens) {
      return { reason: "local_adequate", targets: adequate, fallback: clouds, ...rest };
    }
    const targets = longOr(clouds, catalogue, features);
    return { reason: "long_context", targets, fallback: [...clouds, ...locals], ...rest };
  }
  const adequate = locals.filter((target) => isAdequate(target, features));
  if (adequate.length > 0) {
    return { reason: "local_adequate", targets: adequate, fallback: catalogue.fallback, ...rest };
  }
  const promptFits = locals.some((target) => features.promptTokens <= target.adequate.promptTokens);
  const reason = promptFits ? "output_too_long" : "prompt_too_long";
  // Local models stand last: better a modest answer than none when every cloud fails.
  return { reason, targets: plainCloud(catalogue), fallback: [...clouds, ...locals], ...rest };
}

/** The one cloud model that `auto` uses when nothing says otherwise: the first of `routing.autoCloud` that exists. */
export function plainCloud(catalogue: Catalogue): readonly Deployment[] {
  return catalogue.autoCloud.filter(cloud).slice(0, 1);
}

/** Whether a deployment is trusted with this much prompt and output. */
export function isAdequate(target: Deployment, features: Features): boolean {
  return features.promptTokens <= target.adequate.promptTokens && features.maxTokens <= target.adequate.maxTokens;
}

function longOr(clouds: readonly Deployment[], catalogue: Catalogue, features: Features): readonly Deployment[] {
  if (features.promptTokens <= longPromptTokens) return plainCloud(catalogue);
  const long = catalogue.longContext.filter(cloud);
  if (features.promptTokens <= veryLongPromptTokens) return long;
  return [...new Set([...long, ...clouds])].sort((a, b) => windowOf(b) - windowOf(a));
}
