import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { GatewayProcess } from "./gateway-process.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Json = any;

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Json;
}

export interface AdminOptions {
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls the admin API as any client would. */
export async function callAdmin(
  url: string,
  method: string,
  path: string,
  { body, token, headers }: AdminOptions = {},
): Promise<AdminAnswer> {
  const response = await fetch(url + path, {
    method,
    redirect: "manual",
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /^application\/json(;|$)/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

/** A token that the gateway keeps in its storage folder for who works on the same machine. */
export function machineToken(dir: string, name: "admin-token" | "first-run-token" = "admin-token"): string {
  return readFileSync(join(dir, name), "utf8").trim();
}

export function hasMachineToken(dir: string, name: "admin-token" | "first-run-token"): boolean {
  return existsSync(join(dir, name));
}

/** Calls below `/admin/v1` with the operator's token. */
export function operator(gateway: GatewayProcess, dir: string) {
  const token = machineToken(dir);
  return (method: string, path: string, body?: unknown): Promise<AdminAnswer> =>
    callAdmin(gateway.url, method, `/admin/v1${path}`, { token, body });
}
