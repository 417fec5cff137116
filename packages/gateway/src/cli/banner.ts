import { dialects } from "../codecs/registry.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { Deployment } from "../core/deployment.ts";
import { noWish } from "../core/routing-wish.ts";
import type { JsonObject } from "../lib/json.ts";
import type { Ask } from "../routing/ask.ts";
import { extractFeatures } from "../routing/features/extract-features.ts";
import { LiveState } from "../routing/live-state.ts";
import { plan } from "../routing/plan.ts";

export interface BannerFacts {
  readonly url: string;
  readonly findings: readonly string[];
  readonly resolved: ResolvedConfig;
  readonly demo: boolean;
  /** File of the token that makes the first owner; undefined when there is one. */
  readonly firstRun: string | undefined;
}

function describe(target: Deployment | undefined): string {
  if (target === undefined) return "nothing: none is configured";
  const simulated = target.upstream.simulated ? " (simulated)" : "";
  return `${target.upstream.placement} ${target.id}${simulated}`;
}

interface Sample {
  readonly title: string;
  readonly model: string;
  readonly prompt: string;
}

const samples: readonly Sample[] = [
  { title: "local", model: "local", prompt: "Say hello from my own machine." },
  { title: "cloud", model: "cloud", prompt: "Plan a week in Lisbon, step by step." },
  { title: "auto, a short prompt", model: "auto", prompt: "Classify the sentiment: Great product!" },
];

function sampleBody({ model, prompt }: Sample): JsonObject {
  return { model, messages: [{ role: "user", content: prompt }], max_tokens: 120 };
}

/** Asks the real planner where a sample would go, on a fresh view of the world. */
function destination(sample: Sample, { catalogue, breakerLimits }: ResolvedConfig): string {
  const chat = dialects["openai-chat"].decodeRequest(sampleBody(sample));
  const ask: Ask = {
    model: chat.model,
    features: extractFeatures(chat),
    needs: chat.needs,
    wish: noWish,
    key: { id: "", name: "", team: "", user: "", tags: [], region: "" },
    keyIsLocalOnly: false,
    headers: () => ({}),
    stream: false,
    reasoning: "",
  };
  try {
    const { targets, reason } = plan(ask, {
      catalogue,
      live: new LiveState(breakerLimits),
      nowMs: 0,
      atMs: 0,
      priceOf: () => undefined,
      outputTokens: () => ask.features.maxTokens,
      fraction: () => 0,
    });
    return `${describe(targets[0])}, because ${reason}`;
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

function curl(url: string, sample: Sample, needsKey: boolean): string {
  const key = needsKey ? ' -H "authorization: Bearer $FAIRLEAD_API_KEY"' : "";
  return `curl -si ${url}/v1/chat/completions -H 'content-type: application/json'${key} -d '${JSON.stringify(sampleBody(sample))}'`;
}

/** What a person sees when the gateway is up: the endpoint, what was found, and three requests to paste. */
export function banner({ url, findings, resolved, demo, firstRun }: BannerFacts, colour: boolean): string {
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const lines = ["", `${paint(1, "Fairlead")} listens on ${paint(36, `${url}/v1`)}`, ""];
  for (const finding of findings) lines.push(`  ${finding}`);
  if (firstRun !== undefined) {
    lines.push(`  no owner yet: POST ${url}/admin/v1/setup with the token in ${firstRun} makes one`);
  }
  const { deployments } = resolved.catalogue;
  if (deployments.length === 0) {
    lines.push(
      "",
      "  No upstream was found, so every request will fail. Start a local server, set a provider's API key,",
    );
    lines.push("  write a fairlead.yaml, or try `npm run demo`, which simulates what is missing.", "");
    return `${lines.join("\n")}\n`;
  }
  if (demo) {
    const needsKey = resolved.auth.key !== undefined;
    lines.push("", "Paste one of these; the header X-Router-Backend tells who served it:");
    for (const sample of samples) {
      lines.push("", paint(2, `# ${sample.title} → ${destination(sample, resolved)}`), curl(url, sample, needsKey));
    }
    lines.push("", `Or give it to the SDK your application uses already: baseURL ${url}/v1. Stop with Ctrl+C.`);
  } else {
    lines.push("");
    for (const target of deployments) lines.push(`  ${target.upstream.placement.padEnd(5)} ${target.id}`);
  }
  return `${lines.join("\n")}\n\n`;
}
