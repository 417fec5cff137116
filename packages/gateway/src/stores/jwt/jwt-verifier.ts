import { createHash } from "node:crypto";
import type { JWTPayload, RemoteJWKSet } from "jose";
import { GatewayError } from "../../core/errors.ts";
import type { TokenClaims, TokenVerifier } from "../../keys/token-verifier.ts";
import type { Clock } from "../../lib/clock.ts";
import { fetchBounded } from "../../lib/fetch-bounded.ts";

/** An issuer whose signed tokens are taken like keys. */
export interface JwtIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** Found through the issuer's OpenID configuration unless given. */
  readonly jwksUrl: string | undefined;
  readonly userClaim: string;
  readonly teamClaim: string;
  readonly tagsClaim: string | undefined;
}

interface Known {
  readonly claims: TokenClaims;
  readonly expiresAt: number;
}

/** Never HMAC: its key would be the issuer's public one. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const longestToken = 16_384;
const mostKnown = 10_000;
const leewaySeconds = 5;
const fetchMs = 5_000;
/** After keys could not be had they are not asked for again at once. */
const pauseMs = 3_000;
const longestText = 200;
const mostTags = 50;

const refused = (message: string, cause?: unknown): GatewayError =>
  new GatewayError("unauthorized", message, { cause });

function textClaim(payload: JWTPayload, name: string): string | undefined {
  const value = payload[name];
  return typeof value === "string" && value !== "" ? value.slice(0, longestText) : undefined;
}

function tagsOf(payload: JWTPayload, name: string | undefined): readonly string[] {
  const value = name === undefined ? undefined : payload[name];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const tags = list.filter((tag): tag is string => typeof tag === "string" && tag !== "");
  return [...new Set(tags.map((tag) => tag.slice(0, longestText)))].slice(0, mostTags);
}

/** Why a token was refused, without anything of the token. */
function explain(thrown: unknown): GatewayError {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "ERR_JWT_EXPIRED") return refused("The token has expired.", thrown);
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED") {
    const claim = String((thrown as { claim?: unknown }).claim ?? "");
    return refused(`The token's claim \`${claim}\` is missing or not what this gateway expects.`, thrown);
  }
  if (/^ERR_(JOSE_ALG|JWS|JWT|JOSE_NOT_SUPPORTED|JWKS_NO_MATCHING|JWKS_MULTIPLE)/.test(code)) {
    return refused(
      "The token's signature is wrong, or made with a key or algorithm its issuer does not publish.",
      thrown,
    );
  }
  const message = "The token issuer's public keys cannot be read at the moment.";
  return new GatewayError("store_unavailable", message, { cause: thrown, retryAfterMs: pauseMs });
}

/** The published keys of one issuer: fetched when first needed, kept, and not asked for again right after a failure. */
class IssuerKeys {
  readonly #issuer: JwtIssuer;
  readonly #clock: Clock;
  #keys: Promise<RemoteJWKSet> | undefined;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(issuer: JwtIssuer, clock: Clock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** Whether they are worth asking for now. */
  get paused(): boolean {
    return this.#clock.monotonicMs() - this.#failedAtMs < pauseMs;
  }

  failed(): void {
    this.#failedAtMs = this.#clock.monotonicMs();
  }

  async get(): Promise<RemoteJWKSet> {
    this.#keys ??= this.#open();
    try {
      return await this.#keys;
    } catch (thrown) {
      this.#keys = undefined;
      throw thrown;
    }
  }

  async #open(): Promise<RemoteJWKSet> {
    const { createRemoteJWKSet, customFetch } = await import("jose");
    const url = this.#issuer.jwksUrl ?? (await this.#discover());
    return createRemoteJWKSet(new URL(url), { timeoutDuration: fetchMs, [customFetch]: fetchBounded });
  }

  async #discover(): Promise<string> {
    const url = `${this.#issuer.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const response = await fetchBounded(url, { signal: AbortSignal.timeout(fetchMs) });
    const found = response.ok ? ((await response.json()) as { jwks_uri?: unknown }).jwks_uri : undefined;
    if (typeof found !== "string" || !URL.canParse(found)) throw new Error("no jwks_uri in the OpenID configuration");
    return found;
  }
}

/** Checks signed tokens of the configured issuers. A token seen before is known by its hash until it expires. */
export class JwtVerifier implements TokenVerifier {
  readonly #issuers: ReadonlyMap<string, { readonly settings: JwtIssuer; readonly keys: IssuerKeys }>;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(issuers: readonly JwtIssuer[], clock: Clock) {
    this.#clock = clock;
    this.#issuers = new Map(
      issuers.map((settings) => [settings.issuer, { settings, keys: new IssuerKeys(settings, clock) }]),
    );
  }

  looksLike(presented: string): boolean {
    return presented.startsWith("ey") && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(presented);
  }

  verify(presented: string): TokenClaims | Promise<TokenClaims> {
    if (presented.length > longestToken) throw refused("The token is too long.");
    const digest = createHash("sha256").update(presented).digest("base64url");
    const known = this.#known.get(digest);
    if (known === undefined) return this.#check(presented, digest);
    if (known.expiresAt <= this.#clock.now()) {
      this.#known.delete(digest);
      throw refused("The token has expired.");
    }
    return known.claims;
  }

  async #check(presented: string, digest: string): Promise<TokenClaims> {
    const { decodeJwt, jwtVerify } = await import("jose");
    let issuer: string | undefined;
    try {
      issuer = decodeJwt(presented).iss;
    } catch (cause) {
      throw refused("The token is malformed.", cause);
    }
    const from = issuer === undefined ? undefined : this.#issuers.get(issuer);
    if (from === undefined) throw refused("The token's issuer is not one this gateway trusts.");
    if (from.keys.paused) throw explain(undefined);
    try {
      const { payload } = await jwtVerify(presented, await from.keys.get(), {
        issuer: from.settings.issuer,
        audience: from.settings.audience,
        algorithms,
        requiredClaims: ["exp", from.settings.userClaim],
        currentDate: new Date(this.#clock.now()),
        clockTolerance: leewaySeconds,
      });
      return this.#remember(digest, payload, from.settings);
    } catch (thrown) {
      const error = explain(thrown);
      if (error.code === "store_unavailable") from.keys.failed();
      throw error;
    }
  }

  #remember(digest: string, payload: JWTPayload, settings: JwtIssuer): TokenClaims {
    const user = textClaim(payload, settings.userClaim);
    if (user === undefined) {
      // As the library's own refusals look.
      throw Object.assign(new Error("no user"), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: settings.userClaim });
    }
    const claims: TokenClaims = {
      issuer: settings.issuer,
      user,
      team: textClaim(payload, settings.teamClaim),
      tags: tagsOf(payload, settings.tagsClaim),
    };
    this.#known.set(digest, { claims, expiresAt: ((payload.exp ?? 0) + leewaySeconds) * 1000 });
    if (this.#known.size > mostKnown) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return claims;
  }
}
