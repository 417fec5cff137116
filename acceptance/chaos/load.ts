import { ask, type End, type Question, type Seen } from "./ask.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

export interface Load {
  /** Everything that ended so far, in order. */
  readonly seen: readonly Seen[];
  /** Resolves when so many more requests that began after this call have ended as wanted. */
  more(count: number, what?: string, wanted?: (seen: Seen) => boolean, timeoutMs?: number): Promise<void>;
  /** Lets what runs finish. */
  stop(): Promise<readonly Seen[]>;
}

export interface LoadOptions extends Omit<Question, "stream"> {
  readonly name: string;
  readonly clients: number;
  /** The end, however long nobody stops it. */
  readonly most?: number;
  /** Ends that are honest here; the others are broken promises. */
  readonly honest?: readonly End[];
}

const usualHonest: readonly End[] = ["answered", "continued", "error", "event"];
/** A client that was refused does not ask again in the same moment. */
const pauseMs = 25;

/** Requests one after another from several clients, every other one a stream; each is counted and judged. */
export function startLoad(stage: Stage, url: string, options: LoadOptions): Load {
  const { name, clients, most = 20_000, honest = usualHonest, ...question } = options;
  const seen: Seen[] = [];
  const began = new WeakMap<Seen, number>();
  let sent = 0;
  let stopped = false;
  const client = async (position: number): Promise<void> => {
    for (let turn = position; !stopped && sent < most; turn++) {
      sent++;
      const startedMs = performance.now();
      const one = await ask(url, { ...question, stream: turn % 2 === 0 });
      began.set(one, startedMs);
      seen.push(one);
      stage.count(one, name);
      if (one.end !== "lost") stage.expect(honest.includes(one.end), `${name}: ${one.label}`);
      if (one.end !== "answered") await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, position) => client(position)));
  const stop = async (): Promise<readonly Seen[]> => {
    stopped = true;
    await all;
    return seen;
  };
  stage.onEnd(stop);
  return {
    seen,
    more(count, what = "more requests", wanted = () => true, timeoutMs = 20_000) {
      const fromMs = performance.now();
      const counts = (one: Seen): boolean => (began.get(one) ?? 0) >= fromMs && wanted(one);
      return until(`${name}: ${what}`, () => seen.filter(counts).length >= count, timeoutMs);
    },
    stop,
  };
}
