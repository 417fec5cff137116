import { ask, numberedWords, type Seen } from "./ask.ts";
import { inLanes } from "./in-lanes.ts";
import type { Api } from "./promises.ts";
import type { Stage } from "./stage.ts";

const text = numberedWords(4);
const lanes = 12;
/** Below what a simulator remembers. */
const batch = 400;
const models: Readonly<Record<Api, string>> = { native: "chat", translated: "claude-sonnet-4-6" };
/** Ends the event after which an upstream's answer is complete. */
const finish: Readonly<Record<Api, RegExp>> = {
  native: /"finish_reason":"stop"[^\n]*\n\n/,
  translated: /"stop_reason":"end_turn"[^\n]*\n\n/,
};

/** Cuts an upstream's stream at each byte: a client never takes the part for the whole, and gets the whole where it wants that. */
export async function cutEverywhere(stage: Stage, api: Api, continues: boolean): Promise<void> {
  const flavour = api === "native" ? "vllm" : "anthropic";
  const [broken, spare] = await Promise.all([
    stage.simulator("--flavour", flavour, "--model", models[api]),
    stage.simulator("--flavour", "vllm", "--model", "spare"),
  ]);
  const gateway = await stage.gateway({
    upstreams: {
      broken: { preset: flavour, baseUrl: `${broken.url}/v1`, health: false, models: [{ id: models[api] }] },
      spare: { preset: "vllm", baseUrl: `${spare.url}/v1`, health: false, models: [{ id: "spare" }] },
    },
    models: {
      cut: {
        targets: [`broken/${models[api]}`, ...(continues ? ["spare/spare"] : [])],
        fallback: [],
        ...(continues && { afterCut: "continue" as const }),
      },
    },
    routing: { retriesPerTarget: 0, breaker: { failures: 1_000_000, minTries: 1_000_000 } },
  });
  const once = (number: number): Promise<Seen> => {
    // Of one length, so that every body has the same bytes.
    const prompt = `[[sim:text=${text}]] request ${String(number).padStart(6, "0")}`;
    return ask(gateway.url, { model: "cut", stream: true, text, prompt });
  };

  stage.count(await once(0), "uncut");
  const [hit] = await broken.generations();
  const length = hit?.bytesSent ?? 0;
  const whole = await sameBody(`${broken.url}${hit?.path}`, hit?.body);
  const end = finish[api].exec(whole);
  const completeAt = end === null ? Number.NaN : Buffer.byteLength(whole.slice(0, end.index + end[0].length));
  stage.expect(length > 500 && completeAt < length, `a body of ${length} bytes that is complete at ${completeAt}`);

  const step = stage.pick(31, 1);
  const offsets = Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step);
  if (offsets.at(-1) !== length) offsets.push(length);
  for (let from = 0; from < offsets.length; from += batch) {
    const some = offsets.slice(from, from + batch);
    await broken.clearHits();
    await broken.setFault(some.map((offset) => ({ spec: `cut=${offset}`, times: 1 })));
    const seen = new Map<string, Seen>();
    await inLanes(some, lanes, async (offset) => {
      seen.set(String(offset).padStart(6, "0"), await once(offset));
    });
    // Requests overtake each other: the upstream knows which of them it cut where.
    for (const { body, fault } of await broken.generations()) {
      const number = /request (\d{6})/.exec(JSON.stringify(body))?.[1] ?? "";
      const one = seen.get(number);
      const offset = Number(/^cut=(\d+)$/.exec(fault ?? "")?.[1]);
      if (one === undefined || Number.isNaN(offset)) continue;
      seen.delete(number);
      judge(stage, one, { api, continues, offset, completeAt });
    }
    stage.expect(seen.size === 0, `${seen.size} requests that no upstream saw`);
  }
}

interface Cut {
  readonly api: Api;
  readonly continues: boolean;
  readonly offset: number;
  readonly completeAt: number;
}

function judge(stage: Stage, seen: Seen, { api, continues, offset, completeAt }: Cut): void {
  const name = `cut at byte ${offset}, ${api}${continues ? ", continued" : ""}`;
  stage.count(seen, name);
  if (continues) {
    stage.expect(seen.end === "answered" || seen.end === "continued", `${name}: ${seen.label}`);
    return;
  }
  const isHonest = seen.end === "error" || seen.end === "event";
  stage.expect(isHonest || (seen.end === "answered" && offset >= completeAt), `${name}: ${seen.label}`);
}

async function sameBody(url: string, body: unknown): Promise<string> {
  const headers = { "content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "any" };
  return (await fetch(url, { method: "POST", headers, body: JSON.stringify(body) })).text();
}
