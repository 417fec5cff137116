const name = "fairlead_session";

/** The session's token in a request's cookies; undefined without one. */
export function readSessionCookie(headers: Headers): string | undefined {
  const cookies = headers.get("cookie");
  if (cookies === null || cookies.length > 16_384) return undefined;
  for (const part of cookies.split(";")) {
    const [key, value] = part.trim().split("=", 2);
    if (key === name && value) return value;
  }
  return undefined;
}

export function sessionCookie(token: string, options: { readonly secure: boolean; readonly maxAgeMs: number }): string {
  const maxAge = Math.floor(options.maxAgeMs / 1000);
  const secure = options.secure ? "; Secure" : "";
  return `${name}=${token}; Path=/admin; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}

export function clearedSessionCookie(secure: boolean): string {
  return sessionCookie("", { secure, maxAgeMs: 0 });
}

/** Whether the browser reaches this gateway over TLS, itself or through a proxy. */
export function isSecure(request: Request, publicUrl: string | undefined): boolean {
  return (publicUrl ?? request.url).startsWith("https:") || request.url.startsWith("https:");
}
