import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { z } from "zod";
import { isLoopback } from "../config/check-bind.ts";
import { CommandError } from "./command-error.ts";

/** What every command that talks to a gateway takes. */
export interface AdminOptions {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  /** Folder in which the gateway on this machine keeps its token. */
  readonly dir?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;
type Query = Readonly<Record<string, string | number | undefined>>;

export const usualUrl = "http://127.0.0.1:8080";
export const usualDir = "./fairlead-data";
const tokenFile = "admin-token";
const timeoutMs = 60_000;
/** A listing that is longer goes round in circles. */
const maxPages = 1_000;

interface Page<T> {
  readonly data: readonly T[];
  readonly next_cursor: string | null;
}

/**
 * Calls the admin API of a running gateway.
 * @throws CommandError from every call that fails, saying what to do about it
 */
export class AdminClient {
  readonly #url: URL;
  readonly #token: string;
  readonly #tokenFrom: string;

  constructor(url: URL, token: string, tokenFrom: string) {
    this.#url = url;
    this.#token = token;
    this.#tokenFrom = tokenFrom;
  }

  get<S extends z.ZodType>(path: string, answer: S, query: Query = {}): Promise<z.output<S>> {
    return this.#call("GET", path, answer, query);
  }

  /** Reads every page of a listing. */
  async all<T>(path: string, page: z.ZodType<Page<T>>, query: Query = {}): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    for (let i = 0; i < maxPages; i++) {
      const { data, next_cursor: next } = await this.get(path, page, { ...query, cursor });
      found.push(...data);
      if (next === null) return found;
      cursor = next;
    }
    throw new CommandError(`The listing ${path} does not end.`);
  }

  post<S extends z.ZodType>(path: string, answer: S, body: unknown): Promise<z.output<S>> {
    return this.#call("POST", path, answer, {}, body);
  }

  patch<S extends z.ZodType>(path: string, answer: S, body: unknown): Promise<z.output<S>> {
    return this.#call("PATCH", path, answer, {}, body);
  }

  put<S extends z.ZodType>(path: string, answer: S, body: unknown): Promise<z.output<S>> {
    return this.#call("PUT", path, answer, {}, body);
  }

  delete<S extends z.ZodType>(path: string, answer: S): Promise<z.output<S>> {
    return this.#call("DELETE", path, answer, {});
  }

  async #call<S extends z.ZodType>(
    method: string,
    path: string,
    answer: S,
    query: Query,
    body?: unknown,
  ): Promise<z.output<S>> {
    const url = new URL(`${this.#url.pathname.replace(/\/+$/, "")}${path}`, this.#url);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const response = await this.#send(url, method, body);
    const value: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw new CommandError(this.#explain(response.status, value));
    const result = answer.safeParse(value);
    if (result.success) return result.data;
    const { path: where, message } = result.error.issues[0] ?? { path: [], message: "" };
    throw new CommandError(
      `${this.#url.origin} answered ${method} ${path} in a way this version does not understand (${where.join(".") || "body"}: ${message}). Is it a Fairlead gateway of the same version?`,
    );
  }

  async #send(url: URL, method: string, body: unknown): Promise<Response> {
    try {
      return await fetch(url, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          accept: "application/json",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The token goes to nobody but the gateway that was named.
        redirect: "manual",
        signal: AbortSignal.timeout(timeoutMs),
        ...(isLoopback(url.hostname) ? { proxy: false } : {}),
      } as BunFetchRequestInit);
    } catch (thrown) {
      const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
      throw new CommandError(
        `No gateway answers at ${this.#url.origin} (${code}). Is it running? Name its address with --url or FAIRLEAD_URL.`,
      );
    }
  }

  #explain(status: number, value: unknown): string {
    const told = errorAnswer.safeParse(value);
    const message = told.success ? told.data.error.message : `It answered with status ${status}.`;
    if (status === 401) {
      return `${this.#url.origin} refuses the token from ${this.#tokenFrom}: ${message} Give another with --token or FAIRLEAD_ADMIN_TOKEN; a gateway on this machine keeps its own in \`admin-token\` of its data folder (--dir).`;
    }
    if (status === 404 && !told.success) return `${this.#url.origin} has no admin API. Is it a Fairlead gateway?`;
    return message;
  }
}

/**
 * Finds the gateway and the token to call it with: options win over the environment, which wins over the token a gateway
 * on this machine keeps.
 * @throws CommandError when the address is none, or there is no token
 */
export function adminClient(options: AdminOptions, env: Env): AdminClient {
  const text = options.url ?? env["FAIRLEAD_URL"] ?? usualUrl;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CommandError(`${JSON.stringify(text)} is no address: expected an absolute http:// or https:// URL.`);
  }
  if (options.token !== undefined) return new AdminClient(url, options.token, "--token");
  const fromEnv = env["FAIRLEAD_ADMIN_TOKEN"];
  if (fromEnv !== undefined && fromEnv !== "") return new AdminClient(url, fromEnv, "FAIRLEAD_ADMIN_TOKEN");
  const file = join(options.dir ?? (env["FAIRLEAD_DATA"] || usualDir), tokenFile);
  const kept = readToken(file);
  if (kept === undefined) {
    throw new CommandError(
      `There is no admin token: give --token, set FAIRLEAD_ADMIN_TOKEN, or name the gateway's data folder with --dir (looked for ${file}).`,
    );
  }
  // A token of this machine is for its own gateway, unless somebody says otherwise.
  if (!isLoopback(url.hostname) && options.dir === undefined) {
    throw new CommandError(
      `The token in ${file} is for the gateway on this machine: give --token for ${url.origin}, or name its folder with --dir.`,
    );
  }
  return new AdminClient(url, kept, file);
}

function readToken(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
