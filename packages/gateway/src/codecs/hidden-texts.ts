import type { Upstream } from "../core/deployment.ts";

const secretHeader = /key|token|secret|auth|cookie|password|signature/i;

/**
 * Returns what no client may read of an upstream: its key, headers that hold secrets, logins and hosts. For `hide` of an
 * `UpstreamFailure` and for `hideIn`; errors only.
 */
export function hiddenTexts({ auth, headers, baseUrl, proxy }: Upstream): readonly string[] {
  const texts = new Set<string>();
  if (auth.type !== "none") texts.add(auth.key.reveal());
  for (const [name, value] of Object.entries(headers)) {
    if (!secretHeader.test(name)) continue;
    // `Bearer x`: an upstream may quote the second word alone.
    texts.add(value).add(value.slice(value.lastIndexOf(" ") + 1));
  }
  for (const address of [baseUrl, proxy]) if (address !== undefined) addAddress(address, texts);
  texts.delete("");
  return [...texts];
}

function addAddress(address: string, texts: Set<string>): void {
  const url = URL.parse(address);
  if (url === null) return;
  for (const login of [url.username, url.password]) texts.add(login).add(decoded(login));
  if (url.port !== "") texts.add(url.host);
  // A name without a dot is as a rule a product's, which its errors need to stay readable.
  if (url.hostname.includes(".")) texts.add(url.hostname);
}

function decoded(login: string): string {
  try {
    return decodeURIComponent(login);
  } catch {
    return login;
  }
}
