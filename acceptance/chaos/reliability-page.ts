import type { FilledCell } from "./fault-table.ts";
import { type Api, apis, type Mode, type Surrounding } from "./promises.ts";
import type { Counts } from "./stage.ts";

export interface Told {
  readonly name: string;
  readonly promise: string;
  /** Undefined where it could not run. */
  readonly counts: Counts | undefined;
}

const titles: Readonly<Record<Api, string>> = {
  native: "OpenAI clients, an upstream that speaks OpenAI's format",
  translated: "OpenAI clients, an upstream that speaks Anthropic's format",
};

const columns: readonly { readonly mode: Mode; readonly where: Surrounding; readonly title: string }[] = [
  { mode: "whole", where: "other", title: "whole, another target" },
  { mode: "whole", where: "alone", title: "whole, no other" },
  { mode: "stream", where: "other", title: "stream, another target" },
  { mode: "stream", where: "alone", title: "stream, no other" },
  { mode: "stream", where: "continue", title: "stream, `afterCut: continue`" },
];

/** `docs/reliability.md`, made of one run. */
export function reliabilityPage(cells: readonly FilledCell[], told: readonly Told[], total: Counts): string {
  return `${intro}
${apis.map((api) => table(cells, api)).join("\n")}
## The system under load

Requests go on from several clients, streams and whole answers in turn, while this is done. *Failed* ones got an honest error, or were cut off
where nothing else is possible: by a killed replica, or because the client left or read nothing.

| what is done | what holds | sent | answered | failed | lost |
| --- | --- | ---: | ---: | ---: | ---: |
${told.map(row).join("\n")}

In all: ${total.sent} sent, ${total.answered} answered, ${total.failed} failed honestly, ${total.lost} lost.
`;
}

const intro = `# What happens when something breaks

This page is written by \`npm run test:chaos -- --write\` from a run with real gateway processes, simulated upstreams, Redis and PostgreSQL. The
run fails when a promise does not hold; the short form of it is part of \`npm test\`.

- A request gets an answer or an honest error: a status and a code from [errors](errors.md), or an event with that code where the stream
  has begun. It never hangs beyond its limits.
- Before the first content another target takes over, unseen. After it the client is told, or, with \`afterCut: continue\`, another target goes on
  from the last character.
- A stream that was cut never ends as if it were whole. No text is missing, and none comes twice.
- Work is charged once. Nobody works on for a client that left.
- What fails beside the path of a request, such as Redis or the database, holds up no request.
- An upstream that is back is used again as soon as a probe and its breaker's cool-down allow.

A request is **lost** when it got neither: it hung, ended clean although it was cut, or its text was not the upstream's.

## One fault at a time

Each cell is what the official OpenAI client saw, without retries of its own, and how often. *Next target*: the answer of another target, as if nothing had
been. *Error*: an exception with this status and code. *Event*: text came, then the stream threw an exception with this code. *Continued*: the whole text, begun by one
target and finished by another. A whole answer is never begun before it is complete, so \`afterCut\` concerns streams.
`;

function table(cells: readonly FilledCell[], api: Api): string {
  const rows = [...new Set(cells.filter((cell) => cell.api === api).map(({ row }) => row))];
  const lines = rows.map((fault) => {
    const shown = columns.map(({ mode, where }) => {
      const cell = cells.find(
        (one) => one.row === fault && one.api === api && one.mode === mode && one.where === where,
      );
      return cell === undefined ? "–" : outcomes(cell);
    });
    return `| ${[fault.name, ...shown].join(" | ")} |`;
  });
  return `### ${titles[api]}

| fault | ${columns.map(({ title }) => title).join(" | ")} |
| --- | ${columns.map(() => "---").join(" | ")} |
${lines.join("\n")}
`;
}

function outcomes({ seen }: FilledCell): string {
  return Object.entries(seen)
    .map(([outcome, count]) => `${outcome.replace(/^(error \d+|event) (\S+)$/, "$1 `$2`")} ×${count}`)
    .join(", ");
}

function row({ name, promise, counts }: Told): string {
  const figures =
    counts === undefined
      ? ["not run", "", "", ""]
      : [counts.sent, counts.answered, counts.failed, counts.lost].map(String);
  return `| ${[name, promise, ...figures].join(" | ")} |`;
}
