import type { Configuration, IDToken } from "openid-client";
import { GatewayError } from "../../core/errors.ts";
import { fetchBounded } from "../../lib/fetch-bounded.ts";
import type { OidcSettings } from "./oidc-settings.ts";

const timeoutSeconds = 5;

/** What one sign-in must remember between leaving for the provider and coming back. */
export interface OidcFlow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

function unreachable(cause: unknown): GatewayError {
  const message = "The identity provider does not answer. Try again, or sign in with a password.";
  return new GatewayError("store_unavailable", message, { cause, retryAfterMs: 5_000 });
}

/** Talks to one identity provider: authorization code with PKCE, state and nonce. Its addresses are looked up once. */
export class OidcClient {
  readonly #settings: OidcSettings;
  #found: Promise<Configuration> | undefined;

  constructor(settings: OidcSettings) {
    this.#settings = settings;
  }

  /** Where to send the browser. @throws GatewayError `store_unavailable` */
  async begin(redirectUri: string): Promise<{ readonly url: string; readonly flow: OidcFlow }> {
    const configuration = await this.#configuration();
    const oidc = await import("openid-client");
    const verifier = oidc.randomPKCECodeVerifier();
    const flow = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier };
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#settings.scopes.join(" "),
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state: flow.state,
      nonce: flow.nonce,
    });
    return { url: url.href, flow };
  }

  /**
   * Trades the code the browser brought back for what the provider says of its bearer, all checks made.
   * @throws GatewayError `unauthorized`, `store_unavailable`
   */
  async finish(callback: URL, flow: OidcFlow): Promise<IDToken> {
    const configuration = await this.#configuration();
    const oidc = await import("openid-client");
    try {
      const tokens = await oidc.authorizationCodeGrant(configuration, callback, {
        pkceCodeVerifier: flow.verifier,
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error("no ID token");
      return claims;
    } catch (cause) {
      throw new GatewayError("unauthorized", "The identity provider's answer was refused. Sign in again.", { cause });
    }
  }

  async #configuration(): Promise<Configuration> {
    this.#found ??= this.#discover();
    try {
      return await this.#found;
    } catch (thrown) {
      this.#found = undefined;
      throw unreachable(thrown);
    }
  }

  async #discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const oidc = await import("openid-client");
    const server = new URL(issuer);
    return oidc.discovery(server, clientId, undefined, oidc.ClientSecretPost(clientSecret.reveal()), {
      timeout: timeoutSeconds,
      [oidc.customFetch]: (url, options) => fetchBounded(url, options as RequestInit),
      // The token's signature is checked as well; and TLS may be missing only where the config itself says so.
      execute: [oidc.enableNonRepudiationChecks, ...(server.protocol === "http:" ? [oidc.allowInsecureRequests] : [])],
    });
  }
}
