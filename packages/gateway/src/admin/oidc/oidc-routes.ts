import { oidcCallbackQuery, oidcLoginQuery } from "@fairlead/contract/admin-api/session-api";
import { GatewayError } from "../../core/errors.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import { isSecure } from "../session-cookie.ts";
import { startSession } from "../start-session.ts";
import { OidcClient, type OidcFlow } from "./oidc-client.ts";
import { oidcUser } from "./oidc-user.ts";

const cookieName = "fairlead_oidc";
const callbackPath = "/admin/v1/oidc/callback";
const flowMs = 600_000;
/** Binds the sealed cookie to its use. */
const sealName = "oidc sign-in";

interface SealedFlow extends OidcFlow {
  readonly returnTo: string;
  readonly expiresAt: number;
}

function callbackUrl(request: Request, publicUrl: string | undefined): URL {
  const url = new URL(request.url);
  return new URL(`${callbackPath}${url.pathname === callbackPath ? url.search : ""}`, publicUrl ?? url.origin);
}

function flowCookie(request: Request, value: string, deps: AdminDeps): string {
  const secure = isSecure(request, deps.settings.publicUrl) ? "; Secure" : "";
  const age = value === "" ? 0 : flowMs / 1000;
  return `${cookieName}=${value}; Path=/admin; Max-Age=${age}; HttpOnly; SameSite=Lax${secure}`;
}

/** What this browser left with. The cookie ties the answer to it: nobody can be signed in by a link that another made. */
async function readFlow(request: Request, deps: AdminDeps): Promise<SealedFlow> {
  const refused = new GatewayError("unauthorized", "This sign-in was not begun in this browser, or took too long.");
  const cookies = request.headers.get("cookie") ?? "";
  const sealed = cookies
    .split(";")
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${cookieName}=`))
    ?.slice(cookieName.length + 1);
  if (!sealed || sealed.length > 4096) throw refused;
  const text = await deps.vault.open(sealName, sealed).catch(() => {
    throw refused;
  });
  const flow = JSON.parse(text) as SealedFlow;
  if (flow.expiresAt <= deps.clock.now()) throw refused;
  return flow;
}

/** Signing in through OpenID Connect. Without settings for it the routes say so. */
export function oidcRoutes(deps: AdminDeps): readonly AdminRoute[] {
  const { oidc: settings, publicUrl } = deps.settings;
  const client = settings && new OidcClient(settings);
  const absent = new GatewayError("not_found", "Sign-in through OpenID Connect is not configured.");
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/oidc/login",
      permission: "public",
      summary: "Sign in at the identity provider",
      query: oidcLoginQuery,
      answer: ["text/plain"],
      status: 302,
      async handle({ query, request }) {
        if (client === undefined) throw absent;
        const { url, flow } = await client.begin(callbackUrl(request, publicUrl).href);
        const sealed: SealedFlow = { ...flow, returnTo: query.return_to, expiresAt: deps.clock.now() + flowMs };
        const cookie = flowCookie(request, await deps.vault.seal(sealName, JSON.stringify(sealed)), deps);
        return new Response(null, { status: 302, headers: { location: url, "set-cookie": cookie } });
      },
    }),
    adminRoute({
      method: "get",
      path: callbackPath,
      permission: "public",
      summary: "Where the identity provider sends the browser back to",
      query: oidcCallbackQuery,
      answer: ["text/plain"],
      status: 303,
      async handle({ request }) {
        if (client === undefined || settings === undefined) throw absent;
        const flow = await readFlow(request, deps);
        const claims = await client.finish(callbackUrl(request, publicUrl), flow);
        const user = await oidcUser(deps.directory, claims, settings, deps.addressOf(request));
        const { cookie } = await startSession(request, user, deps);
        const headers = new Headers({ location: flow.returnTo, "cache-control": "no-store" });
        headers.append("set-cookie", cookie);
        headers.append("set-cookie", flowCookie(request, "", deps));
        return new Response(null, { status: 303, headers });
      },
    }),
  ];
}
