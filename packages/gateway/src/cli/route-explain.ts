import { readFileSync } from "node:fs";
import { type DecisionAnswer, decisionSchema } from "@fairlead/contract/decision-api";
import { z } from "zod";
import { isLoopback } from "../config/check-bind.ts";
import { usualUrl } from "./admin-client.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { decisionTree } from "./decision-tree.ts";

export interface RouteExplainOptions {
  readonly url?: string;
  readonly key?: string;
  /** A decision that was made, in place of one to try. */
  readonly id?: string;
  /** A request as clients send it; `-` for standard input. */
  readonly file?: string;
  readonly model?: string;
  readonly maxTokens?: string;
  readonly strategy?: string;
  readonly localOnly?: boolean;
  readonly json: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;
const timeoutMs = 30_000;
/** An error in the client's own format, as far as people read it. */
const clientError = z.looseObject({ error: z.looseObject({ message: z.string() }) });

/**
 * Shows where a request would go and why, or why one went where it went. Nothing is run.
 * @throws CommandError when the gateway cannot be reached or refuses
 */
export async function routeExplain(
  prompt: string | undefined,
  options: RouteExplainOptions,
  env: Env,
  readStdin: () => Promise<string> = () => Bun.stdin.text(),
): Promise<CommandResult> {
  if (options.id !== undefined)
    return show(await call("GET", `/v1/decisions/${encodeURIComponent(options.id)}`, undefined, options, env), options);
  return show(await call("POST", "/v1/route", await requestBody(prompt, options, readStdin), options, env), options);
}

function show(decision: DecisionAnswer, { json }: RouteExplainOptions): CommandResult {
  return { exitCode: 0, output: json ? JSON.stringify(decision, null, 2) : decisionTree(decision) };
}

async function requestBody(
  prompt: string | undefined,
  { file, model, maxTokens }: RouteExplainOptions,
  readStdin: () => Promise<string>,
): Promise<Record<string, unknown>> {
  const over = {
    ...(model !== undefined && { model }),
    ...(maxTokens !== undefined && { max_tokens: positive(maxTokens) }),
  };
  if (file !== undefined)
    return { ...parseRequest(file === "-" ? await readStdin() : readRequest(file), file), ...over };
  if (prompt === undefined)
    throw new CommandError("Give a prompt, a request (--file), or the id of a decision (--id).");
  return { model: "auto", messages: [{ role: "user", content: prompt }], ...over };
}

function positive(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new CommandError(`--max-tokens is ${JSON.stringify(text)}: expected a whole number above 0.`);
}

function readRequest(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new CommandError(`${file} cannot be read.`);
  }
}

function parseRequest(text: string, file: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new CommandError(`${file === "-" ? "Standard input" : file} holds no JSON object.`);
}

async function call(
  method: "GET" | "POST",
  path: string,
  body: unknown,
  options: RouteExplainOptions,
  env: Env,
): Promise<DecisionAnswer> {
  const url = gatewayUrl(options, env);
  const key = options.key ?? env["FAIRLEAD_API_KEY"];
  const headers: Record<string, string> = { accept: "application/json" };
  if (key !== undefined && key !== "") headers["authorization"] = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (options.strategy !== undefined) headers["x-router-strategy"] = options.strategy;
  if (options.localOnly === true) headers["x-router-data"] = "local-only";
  let response: Response;
  try {
    response = await fetch(new URL(`${url.pathname.replace(/\/+$/, "")}${path}`, url), {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      ...(isLoopback(url.hostname) ? { proxy: false } : {}),
    } as BunFetchRequestInit);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
    throw new CommandError(
      `No gateway answers at ${url.origin} (${code}). Is it running? Name its address with --url or FAIRLEAD_URL.`,
    );
  }
  const value: unknown = await response.json().catch(() => undefined);
  if (!response.ok) {
    const told = clientError.safeParse(value);
    throw new CommandError(
      told.success ? told.data.error.message : `${url.origin} answered with status ${response.status}.`,
    );
  }
  const decision = decisionSchema.safeParse(value);
  if (decision.success) return decision.data;
  throw new CommandError(
    `${url.origin} answered ${path} in a way this version does not understand. Is it a Fairlead gateway?`,
  );
}

function gatewayUrl({ url: given }: RouteExplainOptions, env: Env): URL {
  const text = given ?? env["FAIRLEAD_URL"] ?? usualUrl;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new CommandError(`${JSON.stringify(text)} is no address: expected an absolute http:// or https:// URL.`);
}
