import type { UpstreamAuth } from "../../core/deployment.ts";

/** Adds what proves to the upstream who sends the request. Synchronous, every attempt. */
export const authSchemes = {
  none: () => ({}),
  bearer: (auth) => (auth.key.isEmpty ? {} : { authorization: `Bearer ${auth.key.reveal()}` }),
  header: (auth) => (auth.key.isEmpty ? {} : { [auth.name.toLowerCase()]: auth.key.reveal() }),
} as const satisfies {
  [Type in UpstreamAuth["type"]]: (auth: Extract<UpstreamAuth, { type: Type }>) => Record<string, string>;
};

/** Headers for one attempt's credentials. */
export function authHeaders(auth: UpstreamAuth): Record<string, string> {
  switch (auth.type) {
    case "none":
      return authSchemes.none();
    case "bearer":
      return authSchemes.bearer(auth);
    case "header":
      return authSchemes.header(auth);
  }
}
