import { GatewayError } from "../core/errors.ts";

/** An error in the admin API's own form. Never holds a cause, a stack or a secret. */
export function answerError(thrown: unknown): Response {
  const error = GatewayError.from(thrown);
  const { retryAfterMs, param } = error.detail;
  const headers = new Headers({ "cache-control": "no-store" });
  if (retryAfterMs !== undefined) headers.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (error.code === "unauthorized") headers.set("www-authenticate", 'Bearer realm="fairlead admin"');
  const body = { error: { code: error.code, message: error.message, param: param ?? null } };
  return Response.json(body, { status: error.status, headers });
}
