import type { ZodType, z } from "zod";
import { GatewayError } from "../core/errors.ts";
import type { Actor } from "../keys/directory.ts";
import type { Permission } from "../keys/roles.ts";
import type { AdminIdentity } from "./admin-identity.ts";

type Out<S> = S extends ZodType ? z.output<S> : undefined;

/** A checked request. */
export interface AdminCall<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly request: Request;
  /** @throws GatewayError `unauthorized`, which only a public route can meet */
  readonly by: AdminIdentity;
  /** Who the audit log names. */
  readonly actor: Actor;
}

/** One route of the admin API: what it takes, who may call it, what it answers. The document is made from it. */
export interface AdminRoute {
  readonly method: "get" | "post" | "patch" | "put" | "delete";
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly permission: Permission | "public";
  readonly summary: string;
  readonly params: ZodType | undefined;
  readonly query: ZodType | undefined;
  readonly body: ZodType | undefined;
  /** A schema, or media types of what is not JSON. */
  readonly answer: ZodType | readonly string[];
  readonly status: number;
  readonly handle: (call: AdminCall<never, never, never>) => Promise<unknown>;
}

interface RouteSpec<P, Q, B, A> {
  readonly method: AdminRoute["method"];
  readonly path: string;
  readonly permission: AdminRoute["permission"];
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: A;
  readonly status?: number;
  /** A `Response` is sent as it is. */
  handle(call: AdminCall<Out<P>, Out<Q>, Out<B>>): Promise<(A extends ZodType ? z.input<A> : never) | Response>;
}

/** Ties a route's handler to its schemas, so that neither can drift. */
export function adminRoute<
  const P extends ZodType | undefined = undefined,
  const Q extends ZodType | undefined = undefined,
  const B extends ZodType | undefined = undefined,
  const A extends ZodType | readonly string[] = readonly string[],
>(spec: RouteSpec<P, Q, B, A>): AdminRoute {
  return {
    method: spec.method,
    path: spec.path,
    permission: spec.permission,
    summary: spec.summary,
    params: spec.params,
    query: spec.query,
    body: spec.body,
    answer: spec.answer,
    status: spec.status ?? 200,
    handle: (call) => spec.handle(call as unknown as AdminCall<Out<P>, Out<Q>, Out<B>>),
  };
}

/** The error for something that is not there, or that who asks may not know of. */
export function notFound(kind: string, id: string): GatewayError {
  return new GatewayError("not_found", `There is no ${kind} ${JSON.stringify(id.slice(0, 200))}.`);
}

/** What every deletion answers. */
export function deleted(id: string): { readonly id: string; readonly deleted: true } {
  return { id, deleted: true };
}
