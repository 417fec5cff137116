import type { Fault } from "./config-error.ts";

/** Tells whether only this machine can connect to a socket bound to `host`. */
export function isLoopback(host: string): boolean {
  const name = host
    .trim()
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "");
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  if (isLoopbackV4(name)) return true;
  if (!name.includes(":")) return false;
  const mapped = /^(?:0{0,4}:){2,5}ffff:([0-9.]+)$/.exec(name)?.[1];
  if (mapped !== undefined) return isLoopbackV4(mapped);
  return /^(?:0{0,4}:){2,7}0{0,3}1$/.test(name);
}

function isLoopbackV4(name: string): boolean {
  const octets = name.split(".");
  return (
    octets.length === 4 &&
    octets[0] === "127" &&
    octets.every((octet) => /^\d{1,3}$/.test(octet) && Number(octet) < 256)
  );
}

/** What decides whether strangers may come in. */
export interface BindQuestion {
  readonly host: string;
  readonly hasKey: boolean;
  readonly anonymous: boolean;
}

/** Refuses to serve an address others can reach without a key, unless that is said on purpose. */
export function checkBind({ host, hasKey, anonymous }: BindQuestion): Fault | undefined {
  if (hasKey || anonymous || isLoopback(host)) return undefined;
  return {
    at: ["server", "host"],
    what: `${JSON.stringify(host)} can be reached by others, and no key protects this gateway`,
    value: JSON.stringify(host),
    expected:
      "`auth.key` to be set (for example `{ env: FAIRLEAD_API_KEY }`), `auth.required: true` (virtual keys only), a loopback host, or `auth.anonymous: true`",
  };
}
