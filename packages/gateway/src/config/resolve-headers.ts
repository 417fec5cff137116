import type { AuthConfig } from "@fairlead/contract/config-schema";
import type { PresetAuth } from "../upstreams/preset.ts";
import type { ConfigPath, Fault } from "./config-error.ts";
import type { Resolution } from "./resolution.ts";

const token = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

/** Set on every request, or owned by the connection: another value would break requests or loop detection. */
const owned: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "expect",
  "host",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-router-hop",
]);

/** Says why requests cannot carry a header of this name, if they cannot. */
export function headerNameFault(name: string): Omit<Fault, "at"> | undefined {
  const value = JSON.stringify(name);
  if (!token.test(name)) return { what: "is no header name", expected: "letters, digits and -" };
  if (!owned.has(name.toLowerCase())) return undefined;
  return { what: `${value} is set by the gateway itself`, value, expected: "a header of your own" };
}

/** Name of the header that carries the key; undefined where none does. */
function headerOf(auth: AuthConfig | PresetAuth | undefined): string | undefined {
  if (auth?.type === "header") return auth.name.toLowerCase();
  return auth?.type === "bearer" ? "authorization" : undefined;
}

function faultOf(header: string, content: string, keyHeader: string | undefined): Omit<Fault, "at"> | undefined {
  const fault = headerNameFault(header);
  if (fault !== undefined) return { ...fault, aboutKey: true };
  const value = JSON.stringify(header);
  const name = header.toLowerCase();
  if (name === keyHeader) {
    const expected = "the key to be given under `auth` only";
    return { what: `${value} is the header of \`auth\``, value, expected, aboutKey: true };
  }
  if (name === "authorization") {
    return { what: `${value} carries credentials`, value, expected: "them under `auth`", aboutKey: true };
  }
  if (/^[\t\x20-\x7e]*$/.test(content)) return undefined;
  return { what: "holds characters that no header can carry", expected: "printable ASCII" };
}

/**
 * Checks the headers of an upstream, which would otherwise fail every request, and returns them under lower-case names.
 * A header's content may be a secret and is never shown.
 */
export function resolveHeaders(
  headers: Readonly<Record<string, string>>,
  auth: AuthConfig | PresetAuth | undefined,
  at: ConfigPath,
  resolution: Resolution,
): Readonly<Record<string, string>> {
  const keyHeader = headerOf(auth);
  const written = new Map<string, string>();
  const resolved: Record<string, string> = {};
  for (const [header, content] of Object.entries(headers)) {
    const here = [...at, header];
    const name = header.toLowerCase();
    const fault = faultOf(header, content, keyHeader);
    if (fault !== undefined) resolution.faults.push({ at: here, ...fault });
    const earlier = written.get(name);
    if (earlier !== undefined) {
      const what = `${JSON.stringify(header)} is given twice, as ${JSON.stringify(earlier)} before`;
      resolution.faults.push({ at: here, what, expected: "each header once, whatever its case", aboutKey: true });
    }
    written.set(name, header);
    resolved[name] = content;
  }
  return resolved;
}
