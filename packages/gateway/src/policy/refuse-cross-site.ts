import { GatewayError } from "../core/errors.ts";

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Keeps web pages from using a gateway that asks for no key. A browser names the page in `Origin` with every POST; such a
 * request must be of type JSON, which another site may not send unasked, and its `Host` must be a name of this machine where
 * only this machine is served, which a rebound name is not.
 * @throws GatewayError `cross_site_refused`
 */
export function refuseCrossSite(headers: Headers, isLoopbackBind: boolean): void {
  if (headers.get("origin") === null) return;
  if (!headers.get("content-type")?.toLowerCase().startsWith("application/json")) {
    throw new GatewayError(
      "cross_site_refused",
      "A web page may use this gateway only with the content type application/json, because no key protects it.",
      { param: "Content-Type" },
    );
  }
  const host = headers.get("host");
  if (!isLoopbackBind || host === null || loopbackHost.test(host)) return;
  throw new GatewayError(
    "cross_site_refused",
    `This gateway serves web pages of this machine only, and \`${host.slice(0, 80)}\` is none of its names. Set \`auth.key\` to serve others.`,
    { param: "Host" },
  );
}
