import OpenAI, { APIConnectionError, APIError } from "openai";

/** How a request ended, as its client saw it. */
export type End = "answered" | "continued" | "error" | "event" | "broken" | "left" | "lost";

export interface Seen {
  readonly end: End;
  /** The end with what belongs to it: `error 502 upstream_error`. */
  readonly label: string;
  /** `X-Router-Target`: who answered, or was asked when the headers went out. */
  readonly target: string | null;
  readonly decisionId: string | null;
  readonly text: string;
  readonly ms: number;
}

export interface Question {
  readonly model: string;
  readonly stream: boolean;
  /** What the answer must be, to the letter. */
  readonly text: string;
  /** Milliseconds between two tokens. */
  readonly paceMs?: number;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** No answer and no error after so long is a lost request. */
  readonly limitMs?: number;
  /** Called at the first content of a stream. */
  readonly onContent?: () => void;
  /** The client leaves when it fires. */
  readonly leave?: AbortSignal;
  /** In place of the usual prompt. */
  readonly prompt?: string;
}

/** Different words, so that one which is missing or said twice is seen. */
export function numberedWords(count: number): string {
  return Array.from({ length: count }, (_, i) => `word${String(i).padStart(3, "0")}`).join(" ");
}

const usualLimitMs = 20_000;

/** Asks once through the official client, and tells what its user sees. Never rejects. */
export async function ask(url: string, question: Question): Promise<Seen> {
  const { model, stream, text: expected, paceMs = 0, limitMs = usualLimitMs, leave } = question;
  const startedMs = performance.now();
  const stop = new AbortController();
  const hung = setTimeout(() => stop.abort(), limitMs);
  const left = (): void => stop.abort();
  leave?.addEventListener("abort", left, { once: true });
  let headers: Headers | undefined;
  let continued = false;
  const client = new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: question.key ?? "any-key",
    maxRetries: 0,
    timeout: limitMs,
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      headers = response.headers;
      return watched(response, () => {
        continued = true;
      });
    },
  });
  const prompt = question.prompt ?? `[[sim:text=${expected}]]${paceMs > 0 ? `[[sim:pace=${paceMs}]]` : ""}`;
  const messages = [{ role: "user" as const, content: prompt }];
  let text = "";
  let finish: string | null | undefined;
  const seen = (end: End, label: string = end): Seen => ({
    end,
    label,
    target: headers?.get("x-router-target") ?? null,
    decisionId: headers?.get("x-router-decision-id") ?? null,
    text,
    ms: performance.now() - startedMs,
  });
  try {
    const options = { signal: stop.signal, headers: question.headers };
    if (stream) {
      for await (const { choices } of await client.chat.completions.create({ model, messages, stream }, options)) {
        const [choice] = choices;
        const piece = choice?.delta.content ?? "";
        if (text === "" && piece !== "") question.onContent?.();
        text += piece;
        finish = choice?.finish_reason ?? finish;
      }
    } else {
      const { choices } = await client.chat.completions.create({ model, messages }, options);
      text = choices[0]?.message.content ?? "";
      finish = choices[0]?.finish_reason;
    }
    // The client's stream ends without an error when it is aborted.
    if (leave?.aborted) return seen("left");
    if (stop.signal.aborted) return seen("lost", `lost: hung for ${limitMs} ms`);
    if (finish !== "stop") return seen("lost", `lost: a clean end with ${finish} after ${text.length} characters`);
    if (text !== expected) return seen("lost", `lost: the answer is not the upstream's: ${difference(text, expected)}`);
    return continued ? seen("continued") : seen("answered");
  } catch (thrown) {
    if (leave?.aborted) return seen("left");
    if (stop.signal.aborted) return seen("lost", `lost: hung for ${limitMs} ms`);
    if (!expected.startsWith(text)) return seen("lost", `lost: not the upstream's text: ${difference(text, expected)}`);
    const isTold = thrown instanceof APIError && !(thrown instanceof APIConnectionError);
    if (!isTold) return seen("broken", `broken connection: ${String(thrown).slice(0, 200)}`);
    if (typeof thrown.code !== "string" || thrown.message === "")
      return seen("lost", `lost: an error without a code: ${thrown}`);
    // Once the status is out, the client can only be told in the stream.
    if (thrown.status === undefined) return seen("event", `event ${thrown.code}`);
    return seen("error", `error ${thrown.status} ${thrown.code}`);
  } finally {
    clearTimeout(hung);
    leave?.removeEventListener("abort", left);
  }
}

function difference(text: string, expected: string): string {
  let at = 0;
  while (at < text.length && text[at] === expected[at]) at++;
  return `from ${at} on ${JSON.stringify(text.slice(at, at + 30))}, not ${JSON.stringify(expected.slice(at, at + 30))}`;
}

const mark = ": x-router-continued";

/** The same response; calls back when its body says that another target went on. */
function watched(response: Response, onContinued: () => void): Response {
  if (response.body === null) return response;
  const decoder = new TextDecoder();
  let tail = "";
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(bytes, controller) {
        tail += decoder.decode(bytes, { stream: true });
        if (tail.includes(mark)) onContinued();
        tail = tail.slice(-mark.length);
        controller.enqueue(bytes);
      },
    }),
  );
  return new Response(body, { status: response.status, headers: response.headers });
}
