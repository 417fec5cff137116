import { foreignProfile, type ModelProfile, modelProfiles, newestProfile } from "./model-profiles.ts";

/**
 * Finds what a model accepts, by its id as any platform writes it (`us.anthropic.claude-…`, `claude-opus-4.7`).
 * @see docs/spec/wire-formats.md 1.1
 */
export function modelProfile(model: string): ModelProfile {
  const id = model.toLowerCase().replaceAll(".", "-");
  for (const [pattern, profile] of modelProfiles) if (pattern.test(id) && id.includes("claude")) return profile;
  return id.includes("claude") ? newestProfile : foreignProfile;
}
