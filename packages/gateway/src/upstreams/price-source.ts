import { findPreset } from "./presets.ts";

/** Where the price library keeps a provider's prices, and what its data leaves out. */
export interface PriceSource {
  /** The library's id of the provider. */
  readonly library: string;
  /** Cache writes for an hour cost this many times the input where the library names no price of theirs. */
  readonly longCacheWriteFactor?: number;
  /** Audio rates that the library lacks, in US dollars per million tokens, by the library's id of the model. */
  readonly audio?: Readonly<Record<string, { readonly input: number; readonly output: number }>>;
}

/** Providers that the library calls otherwise, or of which it does not say everything. */
const exceptions: Readonly<Record<string, PriceSource>> = {
  // The published rule of its prompt caching: a write that is kept for an hour costs twice the base input.
  anthropic: { library: "anthropic", longCacheWriteFactor: 2 },
  gemini: { library: "google" },
  openai: {
    library: "openai",
    // Its published prices of audio tokens; the library has only those of text.
    audio: {
      "gpt-4o-audio-preview": { input: 40, output: 80 },
      "gpt-4o-mini-audio-preview": { input: 10, output: 20 },
    },
  },
  xai: { library: "x-ai" },
};

/** Undefined for what is no known cloud provider: nobody publishes prices of a server of one's own. */
export function priceSource(provider: string): PriceSource | undefined {
  if (findPreset(provider)?.placement !== "cloud") return undefined;
  return Object.hasOwn(exceptions, provider) ? exceptions[provider] : { library: provider };
}
