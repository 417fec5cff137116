import type { EngineName } from "@fairlead/contract/names";
import { isObject, type JsonObject } from "../../lib/json.ts";

/** What a server answered to one GET: JSON where it was JSON, else text. */
export interface ProbeAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** Path below the origin → answer; a path without an answer is missing. */
export type ProbeAnswers = ReadonlyMap<string, ProbeAnswer>;

/** A model as its server lists it. */
export interface ServedModel {
  readonly id: string;
  /** The window it is served with, not the one it was trained with; undefined when the server does not tell. */
  readonly contextWindow: number | undefined;
  /** The base model, for an adapter. */
  readonly adapterOf: string | undefined;
}

/** `unknown` means the answers do not tell; it is never the same as `ready` or `down`. */
export type EngineState = "ready" | "loading" | "sleeping" | "down" | "unknown";

/** Work in progress on a server. Undefined means unknown, which is not zero. */
export interface EngineLoad {
  readonly running: number | undefined;
  readonly waiting: number | undefined;
  /** Share of the KV cache in use, 0 to 1. */
  readonly kvUsage: number | undefined;
}

/** What a server tells of one of its models. */
export type ModelLoad = "loaded" | "loading" | "unloaded";

/** What a server that answers its health path may tell beyond that. */
export interface EngineStatus {
  /** None of its models can be asked before it is woken. */
  readonly isAsleep: boolean;
  /** Undefined for a model it says nothing of. */
  loadOf(model: string): ModelLoad | undefined;
}

/** Where a server tells its status, and how. */
export interface StatusPage {
  /** A GET below the origin. */
  readonly path: string;
  /** Undefined when the answer does not tell. */
  read(answer: ProbeAnswer): EngineStatus | undefined;
}

/** Self-hosted server software: how to recognise it and how to read what it says about itself. Pure functions. */
export interface Engine {
  readonly name: EngineName;
  /** As people write it. */
  readonly label: string;
  /** Where it listens unless told otherwise. A hint where to look; never a proof. */
  readonly defaultPort: number;
  /** GET paths below the origin that the functions here read. */
  readonly paths: readonly string[];
  readonly healthPath: string;
  /** Models are loaded when somebody asks, whatever health says; else as the server starts. */
  readonly loadsOnRequest?: true;
  /** Undefined where health says it all. */
  readonly statusPage?: StatusPage;
  /** Prometheus metrics, where it has any. */
  readonly metricsPath: string | undefined;
  /** Recognises the server by what it answers. */
  identify(answers: ProbeAnswers): boolean;
  /** Lists what it serves, in its own order; empty when the answers do not tell. */
  listModels(answers: ProbeAnswers): readonly ServedModel[];
  /** Requests it works on at once, where it tells. */
  slots(answers: ProbeAnswers): number | undefined;
  readState(answers: ProbeAnswers): EngineState;
  readLoad(metrics: string): EngineLoad;
}

/** Returns the JSON object a path answered with 200, if it did. */
export function jsonAt(answers: ProbeAnswers, path: string): JsonObject | undefined {
  const answer = answers.get(path);
  return answer?.status === 200 && isObject(answer.body) ? answer.body : undefined;
}

/** Returns the entries of `/v1/models`; foreign entries without an id are left out. */
export function listedModels(answers: ProbeAnswers): readonly (JsonObject & { readonly id: string })[] {
  const data = jsonAt(answers, "/v1/models")?.["data"];
  if (!Array.isArray(data)) return [];
  return data.filter((entry): entry is JsonObject & { readonly id: string } => isObject(entry) && isName(entry["id"]));
}

export function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** Returns a positive whole number, or undefined for anything else. */
export function positive(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Reads a plain health path: 200 is ready, 503 the given state, anything else an error says nothing good. */
export function stateFromHealth(answers: ProbeAnswers, path: string, on503: EngineState): EngineState {
  const status = answers.get(path)?.status;
  if (status === undefined) return "unknown";
  if (status === 200) return "ready";
  if (status === 503) return on503;
  return "down";
}
