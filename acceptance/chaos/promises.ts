/** What a client speaks, and what the upstream does. Both sides of a translation fail in their own ways. */
export const apis = ["native", "translated"] as const;
export type Api = (typeof apis)[number];

/** Who else may answer. */
export const surroundings = ["other", "alone", "continue"] as const;
export type Surrounding = (typeof surroundings)[number];

export type Mode = "whole" | "stream";

/** What a fault means to a request, from which the outcome follows wherever it stands. */
export type Meaning =
  | { readonly kind: "harmless" }
  /** Before the first content: another target answers, unseen; where none is, this error. */
  | { readonly kind: "before"; readonly error: string }
  /** After the first content: this event in the stream, or another target goes on where that is wanted. */
  | { readonly kind: "after"; readonly event: string }
  /** Nobody else is asked. */
  | { readonly kind: "told"; readonly error: string };

const harmless: Meaning = { kind: "harmless" };
const before = (error: string): Meaning => ({ kind: "before", error });
const after = (event: string): Meaning => ({ kind: "after", event });
const told = (error: string): Meaning => ({ kind: "told", error });

/** One outcome, in the words of the table. */
export type Outcome = string;

/** The one outcome that a cell may have. */
export function promised(meaning: Meaning, where: Surrounding): Outcome {
  switch (meaning.kind) {
    case "harmless":
      return "answered";
    case "before":
      return where === "alone" ? `error ${meaning.error}` : "next target";
    case "after":
      return where === "continue" ? "continued" : `event ${meaning.event}`;
    case "told":
      return `error ${meaning.error}`;
  }
}

/** What a process that serves the upstream does, where the fault is not one of a single answer. */
export type Place = "gone" | "resets" | "cold" | "small" | "strict";
export type Blow = "killed" | "paused" | "paused for a moment";

export interface FaultRow {
  /** In a reader's words. */
  readonly name: string;
  /** The simulator's fault, for both modes or for each. */
  readonly spec?: string | Readonly<Record<Mode, string>>;
  /** An upstream of its own. */
  readonly place?: Place;
  /** What is done to the upstream's process while it answers. */
  readonly blow?: Blow;
  /** So few requests even in the long form: each is much work for a simulator. */
  readonly most?: number;
  /** By API where they differ; undefined where there is no such fault. */
  readonly means: Readonly<Record<Mode, Meaning>> | Readonly<Partial<Record<Api, Readonly<Record<Mode, Meaning>>>>>;
}

const both = (meaning: Meaning): Readonly<Record<Mode, Meaning>> => ({ whole: meaning, stream: meaning });

const broke = "502 upstream_error";
const noAnswer = "502 bad_upstream_response";
const interrupted = "502 upstream_stream_interrupted";
const late = "504 upstream_timeout";
const absent = "503 no_target_available";

/** The promises, from docs/errors.md: every fault has one outcome in each cell. */
export const faultRows: readonly FaultRow[] = [
  { name: "nobody listens", place: "gone", means: both(before(absent)) },
  { name: "the connection is reset before an answer", place: "resets", means: both(before(absent)) },
  { name: "cut behind the headers", spec: "cut=0", means: both(before(interrupted)) },
  { name: "500", spec: "status=500", means: both(before(broke)) },
  { name: "502", spec: "status=502", means: both(before(broke)) },
  { name: "503", spec: "status=503", means: both(before("503 overloaded")) },
  { name: "503 with Retry-After", spec: "status=503;retry-after=30", means: both(before("503 overloaded")) },
  { name: "429", spec: "status=429", means: both(before("429 rate_limit_exceeded")) },
  { name: "429 with Retry-After", spec: "status=429;retry-after=30", means: both(before("429 rate_limit_exceeded")) },
  { name: "401: the gateway's key is refused", spec: "status=401", means: both(before("502 upstream_auth_error")) },
  { name: "403", spec: "status=403", means: both(before("502 upstream_auth_error")) },
  { name: "404: no such model", spec: "status=404", means: both(before("404 model_not_found")) },
  { name: "400: the request is wrong", spec: "status=400", means: both(told("400 bad_request")) },
  { name: "400: the prompt exceeds the window", place: "small", means: both(before("400 context_length_exceeded")) },
  { name: "400: the content is refused", place: "strict", means: { native: both(told("400 content_filter")) } },
  {
    name: "the model is being loaded",
    place: "cold",
    means: { native: both(before("503 model_loading")), translated: both(before(late)) },
  },
  { name: "silence before the headers", spec: "stall=headers", means: both(before(late)) },
  { name: "silence before the first token", spec: "stall=first-token", means: both(before(late)) },
  {
    name: "silence in the middle",
    spec: "stall=mid",
    means: { whole: before(late), stream: after("upstream_timeout") },
  },
  { name: "cut before the first content", spec: "cut=40", means: both(before(interrupted)) },
  {
    name: "cut after content",
    spec: { whole: "cut=150", stream: "cut=2500" },
    means: { whole: before(interrupted), stream: after("upstream_stream_interrupted") },
  },
  // In its streams, one of them says that it is overloaded.
  {
    name: "an error in place of the first content",
    spec: "error-first",
    means: { native: both(before(broke)), translated: both(before("503 overloaded")) },
  },
  {
    name: "an error after content",
    spec: "error-mid",
    means: {
      native: { whole: before(broke), stream: after("upstream_error") },
      translated: { whole: before("503 overloaded"), stream: after("overloaded") },
    },
  },
  {
    name: "no finish reason",
    spec: "no-finish",
    means: {
      native: { whole: harmless, stream: after("upstream_stream_interrupted") },
      translated: { whole: before(interrupted), stream: after("upstream_stream_interrupted") },
    },
  },
  { name: "a finish reason, but no end mark", spec: "no-done", means: both(harmless) },
  {
    name: "broken JSON",
    spec: "malformed",
    means: { whole: before(noAnswer), stream: after("bad_upstream_response") },
  },
  { name: "an HTML page", spec: "html", means: both(before(noAnswer)) },
  {
    name: "an empty body",
    spec: "empty",
    means: {
      native: { whole: before(noAnswer), stream: before(interrupted) },
      translated: both(before(interrupted)),
    },
  },
  { name: "a redirect", spec: "redirect", means: both(before(noAnswer)) },
  { name: "gzip that nobody asked for", spec: "gzip", means: both(harmless) },
  { name: "one byte at a time", spec: "one-byte", most: 3, means: both(harmless) },
  { name: "CRLF line ends", spec: "crlf", means: both(harmless) },
  { name: "comments between events", spec: "comments", means: both(harmless) },
  { name: "late headers", spec: "slow-headers=100", means: both(harmless) },
  {
    name: "`kill -9` while it answers",
    blow: "killed",
    means: {
      native: { whole: before(absent), stream: after("upstream_stream_interrupted") },
      translated: { whole: before(interrupted), stream: after("upstream_stream_interrupted") },
    },
  },
  {
    name: "`SIGSTOP` while it answers",
    blow: "paused",
    means: { whole: before(late), stream: after("upstream_timeout") },
  },
  { name: "`SIGSTOP`, and `SIGCONT` within the limits", blow: "paused for a moment", means: both(harmless) },
];

/** What a row promises with this API; undefined where it has no such fault. */
export function meaningOf({ means }: FaultRow, api: Api, mode: Mode): Meaning | undefined {
  return "whole" in means ? means[mode] : means[api]?.[mode];
}
