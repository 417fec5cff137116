import { GatewayError } from "../core/errors.ts";
import type { Session } from "../keys/directory-entities.ts";
import { sameText } from "../keys/key-hash.ts";

const safeMethods = new Set(["GET", "HEAD", "OPTIONS"]);

const refused = (message: string): GatewayError => new GatewayError("cross_site_refused", message);

function ownOrigin(request: Request, origin: string, publicUrl: string | undefined): boolean {
  if (publicUrl !== undefined && origin === new URL(publicUrl).origin) return true;
  const host = request.headers.get("host") ?? new URL(request.url).host;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** @throws GatewayError `cross_site_refused` for a change that another site's page asks for, where no cookie is needed */
export function refuseForeignOrigin(request: Request, publicUrl: string | undefined): void {
  const origin = request.headers.get("origin");
  if (safeMethods.has(request.method) || origin === null) return;
  if (!ownOrigin(request, origin, publicUrl)) throw refused("Another site's page may not do this.");
}

/**
 * A cookie is sent by the browser whoever asks; so changes need proof that our own page asks.
 * @throws GatewayError `cross_site_refused`
 */
export function checkCsrf(request: Request, session: Session, publicUrl: string | undefined): void {
  if (safeMethods.has(request.method)) return;
  const origin = request.headers.get("origin");
  if (origin === null || !ownOrigin(request, origin, publicUrl)) {
    throw refused("The request's `Origin` is not this gateway's: with a cookie, only its own pages may change things.");
  }
  if (!sameText(request.headers.get("x-csrf-token") ?? "", session.csrf)) {
    throw refused("The header `x-csrf-token` is missing or wrong. Read it from `GET /admin/v1/session`.");
  }
}
