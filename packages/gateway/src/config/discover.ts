import { isObject } from "../lib/json.ts";
import { boundedGet, type GetFetch } from "../upstreams/bounded-get.ts";
import { listedModels, type ProbeAnswer, type ProbeAnswers, type ServedModel } from "../upstreams/engines/engine.ts";
import { recognisers } from "../upstreams/recognisers.ts";

/** What stands at an origin, judged by what it answers and by nothing else. */
export type Discovery =
  | {
      readonly kind: "server";
      readonly preset: string;
      readonly label: string;
      readonly models: readonly ServedModel[];
    }
  /** It lists models as OpenAI's API does, but is no server we know. */
  | { readonly kind: "unknown-server"; readonly models: readonly ServedModel[] }
  /** Another gateway of our kind: adopting it could send requests round in circles. */
  | { readonly kind: "fairlead" }
  | { readonly kind: "stranger" }
  | { readonly kind: "nothing" };

const modelsPath = "/v1/models";
const ownPath = "/health/upstreams";
const paths = [...new Set([ownPath, ...recognisers.flatMap((recogniser) => recogniser.paths)])];

function isFairlead(answers: ProbeAnswers): boolean {
  const own = answers.get(ownPath)?.body;
  if (isObject(own) && "healthy_clusters" in own) return true;
  return [...answers.values()].some((answer) => "x-router-decision-id" in answer.headers);
}

function judge(answers: ProbeAnswers): Discovery {
  if (isFairlead(answers)) return { kind: "fairlead" };
  const known = recognisers.find((recogniser) => recogniser.identify(answers));
  if (known !== undefined) {
    return { kind: "server", preset: known.preset, label: known.label, models: known.listModels(answers) };
  }
  const listed = listedModels(answers);
  if (listed.length === 0) return { kind: "stranger" };
  const models = listed.map(({ id }) => ({ id, contextWindow: undefined, adapterOf: undefined }));
  return { kind: "unknown-server", models };
}

/** Looks at one origin. Asks one path first, so that a closed port costs one refused connection. Never throws. */
export async function discover(origin: string, fetch: GetFetch, deadlineMs: number): Promise<Discovery> {
  const signal = AbortSignal.timeout(deadlineMs);
  const first = await boundedGet(fetch, origin + modelsPath, { signal });
  if (!first.ok) return { kind: "nothing" };
  const answers = new Map<string, ProbeAnswer>([[modelsPath, first.answer]]);
  const rest = paths.filter((path) => path !== modelsPath);
  await Promise.all(
    rest.map(async (path) => {
      const result = await boundedGet(fetch, origin + path, { signal });
      if (result.ok) answers.set(path, result.answer);
    }),
  );
  return judge(answers);
}
