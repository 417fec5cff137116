import { createServer } from "node:net";
import type { FairleadConfigInput, RouteConfig } from "@fairlead/contract/config-schema";
import { freePort } from "../setup/free-port.ts";
import type { SimulatorProcess } from "../setup/simulator-process.ts";
import { ask, numberedWords, type Seen } from "./ask.ts";
import { inLanes } from "./in-lanes.ts";
import {
  type Api,
  apis,
  type Blow,
  type FaultRow,
  faultRows,
  type Mode,
  meaningOf,
  type Outcome,
  type Place,
  promised,
  type Surrounding,
  surroundings,
} from "./promises.ts";
import type { Stage } from "./stage.ts";
import { until } from "./until.ts";

/** One cell of the table. */
export interface Cell {
  readonly row: FaultRow;
  readonly api: Api;
  readonly mode: Mode;
  readonly where: Surrounding;
  readonly promise: Outcome;
}

export interface FilledCell extends Cell {
  /** How often each outcome was seen; only the promised one where all is well. */
  readonly seen: Readonly<Record<Outcome, number>>;
}

const text = numberedWords(18);
/** How many cells are asked at one time. */
const lanes = 6;
const spare = "spare/spare";
const models: Readonly<Record<Api, string>> = { native: "chat", translated: "claude-sonnet-4-6" };
/** Short enough to be waited for; an answer is far quicker. */
const timeouts = { connectMs: 2_000, firstContentMs: 2_000, wholeMs: 3_000, idleMs: 2_000, totalMs: 15_000 };
/** Cells stand for themselves: no breaker, and no budget of tries, carries over. */
const routing = {
  backoffMs: 1,
  breaker: { failures: 1_000_000, minTries: 1_000_000 },
  retryBudget: { minPerSecond: 10_000 },
};

/** Every cell that has a promise. A whole answer cannot be gone on with, so it has no such cell. */
export const cells: readonly Cell[] = faultRows.flatMap((row) =>
  apis.flatMap((api) =>
    (["whole", "stream"] as const).flatMap((mode) =>
      surroundings.flatMap((where): Cell[] => {
        const meaning = meaningOf(row, api, mode);
        if (meaning === undefined || (mode === "whole" && where === "continue")) return [];
        return [{ row, api, mode, where, promise: promised(meaning, where) }];
      }),
    ),
  ),
);

/** Fills every cell of the table with what clients see. */
export async function fillTable(stage: Stage): Promise<readonly FilledCell[]> {
  const count = stage.pick(3, 20);
  const filled: FilledCell[] = [];
  filled.push(...(await fillSteady(stage, count)));
  for (const blow of ["killed", "paused", "paused for a moment"] as const) {
    for (const api of apis) filled.push(...(await fillStruck(stage, count, blow, api)));
  }
  const order = new Map(cells.map((cell, position) => [cell, position]));
  return filled.sort((a, b) => (order.get(cellOf(a)) ?? 0) - (order.get(cellOf(b)) ?? 0));
}

const cellOf = (filled: FilledCell): Cell =>
  cells.find(
    ({ row, api, mode, where }) =>
      row === filled.row && api === filled.api && mode === filled.mode && where === filled.where,
  ) ?? filled;

const simulatorFlags = (api: Api, ...more: string[]): string[] => [
  "--flavour",
  api === "native" ? "vllm" : "anthropic",
  "--model",
  models[api],
  ...more,
];

const upstream = (api: Api, url: string, ids: readonly string[]) => ({
  preset: api === "native" ? "vllm" : "anthropic",
  baseUrl: `${url}/v1`,
  health: false as const,
  timeouts,
  models: ids.map((id) => ({ id })),
});

/** A deployment for each cell: what one cell does to cool-downs never reaches the next. */
async function fillSteady(stage: Stage, count: number): Promise<FilledCell[]> {
  const steady = cells.filter(({ row }) => row.blow === undefined);
  const [native, translated, other, cold, coldClaude, small, smallClaude, strict] = await Promise.all([
    stage.simulator(...simulatorFlags("native")),
    stage.simulator(...simulatorFlags("translated")),
    stage.simulator("--flavour", "vllm", "--model", "spare"),
    stage.simulator(...simulatorFlags("native", "--cold-start-ms", "3600000")),
    stage.simulator(...simulatorFlags("translated", "--cold-start-ms", "3600000")),
    stage.simulator("--flavour", "vllm", "--model", `${models.native}@16`),
    stage.simulator("--flavour", "anthropic", "--model", `${models.translated}@16`),
    stage.simulator("--flavour", "openai", "--model", models.native),
  ]);
  const reset = await startResetting(stage);
  const gone = `http://127.0.0.1:${await freePort()}`;
  const urls: Readonly<Record<Api, Readonly<Record<Place | "usual", string>>>> = {
    native: { usual: native.url, gone, resets: reset, cold: cold.url, small: small.url, strict: strict.url },
    translated: {
      usual: translated.url,
      gone,
      resets: reset,
      cold: coldClaude.url,
      small: smallClaude.url,
      strict: translated.url,
    },
  };
  const upstreams: NonNullable<FairleadConfigInput["upstreams"]> = {
    spare: upstream("native", other.url, ["spare"]),
  };
  const routes: Record<string, Pick<RouteConfig, "targets" | "fallback" | "afterCut">> = {};
  const names = new Map<Cell, string>();
  for (const [position, cell] of steady.entries()) {
    const { row, api, mode, where } = cell;
    const place = row.place ?? "usual";
    const upstreamName = `${api}-${place}`;
    const spec = place === "strict" ? "status=400;code=content_policy_violation" : specOf(row, mode);
    // What follows the last `;` is nothing to the simulator, and tells deployments apart.
    const id = `${models[api]}+sim-fault:${spec};${" ".repeat(position)};`;
    const entry = upstreams[upstreamName] ?? upstream(api, urls[api][place], []);
    const preset = place === "strict" ? "openai" : (entry.preset ?? "vllm");
    upstreams[upstreamName] = {
      ...entry,
      preset,
      models: [...(entry.models ?? []), { id, aliases: [`d${position}`] }],
    };
    names.set(cell, `cell-${position}`);
    routes[`cell-${position}`] = routeOf(`d${position}`, where);
  }
  const gateway = await stage.gateway({ upstreams, models: routes, routing });
  const filled: FilledCell[] = [];
  await inLanes(steady, lanes, async (cell) => {
    const model = names.get(cell) ?? "";
    const stream = cell.mode === "stream";
    const length = Math.min(count, cell.row.most ?? count);
    const all = await Promise.all(Array.from({ length }, () => ask(gateway.url, { model, stream, text })));
    filled.push(judge(stage, cell, all));
  });
  return filled;
}

function specOf({ spec = "" }: FaultRow, mode: Mode): string {
  return typeof spec === "string" ? spec : spec[mode];
}

function routeOf(target: string, where: Surrounding): Pick<RouteConfig, "targets" | "fallback" | "afterCut"> {
  const targets = where === "alone" ? [target] : [target, spare];
  return { targets, fallback: [], ...(where === "continue" && { afterCut: "continue" as const }) };
}

/** Takes connections, reads a little and resets them. */
async function startResetting(stage: Stage): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stage.onEnd(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

/** An upstream process for each cell, which is struck while it works on all requests of the cell. */
async function fillStruck(stage: Stage, count: number, blow: Blow, api: Api): Promise<FilledCell[]> {
  const struck = cells.filter(({ row, api: its }) => row.blow === blow && its === api);
  const [other, ...simulators] = await Promise.all([
    stage.simulator("--flavour", "vllm", "--model", "spare"),
    ...struck.map(() => stage.simulator(...simulatorFlags(api))),
  ]);
  const upstreams: NonNullable<FairleadConfigInput["upstreams"]> = { spare: upstream("native", other.url, ["spare"]) };
  const routes: Record<string, Pick<RouteConfig, "targets" | "fallback" | "afterCut">> = {};
  for (const [position, { where }] of struck.entries()) {
    upstreams[`u${position}`] = upstream(api, simulators[position]?.url ?? "", [models[api]]);
    routes[`cell-${position}`] = routeOf(`u${position}/${models[api]}`, where);
  }
  const gateway = await stage.gateway({ upstreams, models: routes, routing });
  const filled = await Promise.all(
    struck.map(async (cell, position) => {
      const simulator = simulators[position];
      if (simulator === undefined) throw new Error("every cell has its upstream");
      const stream = cell.mode === "stream";
      let begun = 0;
      const onContent = (): void => void begun++;
      const question = { model: `cell-${position}`, stream, text, paceMs: 25, onContent };
      const asked = Array.from({ length: count }, () => ask(gateway.url, question));
      await until("all of them under way", async () => {
        return stream ? begun === count : (await simulator.generations()).length >= count;
      });
      await strike(simulator, blow);
      const all = await Promise.all(asked);
      simulator.child.process.kill("SIGCONT");
      return judge(stage, cell, all);
    }),
  );
  await Promise.all([gateway.stop(), other.stop(), ...simulators.map((simulator) => simulator.stop())]);
  return filled;
}

async function strike({ child }: SimulatorProcess, blow: Blow): Promise<void> {
  child.process.kill(blow === "killed" ? "SIGKILL" : "SIGSTOP");
  if (blow !== "paused for a moment") return;
  // Long enough to be a silence, and well below `idleMs`.
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.process.kill("SIGCONT");
}

function judge(stage: Stage, cell: Cell, all: readonly Seen[]): FilledCell {
  const { row, api, mode, where, promise } = cell;
  const name = `${row.name}, ${api}, ${mode}, ${where}`;
  const seen: Record<Outcome, number> = {};
  for (const one of all) {
    stage.count(one, name);
    const isNext = one.end === "answered" && one.target === spare;
    const outcome = isNext ? "next target" : one.label;
    seen[outcome] = (seen[outcome] ?? 0) + 1;
    // An event says that the stream broke off, so something of it must have come.
    const isEmptyEvent = one.end === "event" && one.text === "";
    stage.expect(outcome === promise && !isEmptyEvent, `${name}: ${outcome} in place of ${promise}`);
  }
  return { ...cell, seen };
}
