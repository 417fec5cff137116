import type { AdminConfig, FairleadConfig, WebhookConfig } from "@fairlead/contract/config-schema";
import type { Role } from "@fairlead/contract/names";
import type { Secret } from "../lib/secret.ts";
import type { Resolution } from "./resolution.ts";
import { resolveSecret } from "./resolve-secret.ts";

/** Sign-in through an identity provider, with its secret fetched. */
export interface OidcConfig extends Omit<NonNullable<AdminConfig["oidc"]>, "clientSecret" | "defaultRole"> {
  readonly clientSecret: Secret;
  readonly defaultRole: Role | undefined;
}

export interface AdminSettings {
  readonly token: Secret | undefined;
  readonly publicUrl: string | undefined;
  readonly sessionMs: number;
  readonly oidc: OidcConfig | undefined;
}

/** A receiver of events, with its secret fetched. */
export interface Webhook extends Omit<WebhookConfig, "secret"> {
  readonly secret: Secret;
}

const hourMs = 3_600_000;
/** What guesses cannot reach. */
const leastTokenLength = 16;

export function resolveAdmin(admin: AdminConfig, resolution: Resolution): AdminSettings {
  const { token: reference, publicUrl, sessionHours, oidc } = admin;
  const token = reference === undefined ? undefined : resolveSecret(reference, ["admin", "token"], resolution);
  if (token !== undefined && token.reveal().length < leastTokenLength) {
    const expected = `at least ${leastTokenLength} characters`;
    resolution.faults.push({ at: ["admin", "token"], what: "is too short to be safe", expected });
  }
  const clientSecret = oidc && resolveSecret(oidc.clientSecret, ["admin", "oidc", "clientSecret"], resolution);
  return {
    token,
    publicUrl,
    sessionMs: sessionHours * hourMs,
    oidc: oidc && clientSecret && { ...oidc, clientSecret, defaultRole: oidc.defaultRole },
  };
}

export function resolveWebhooks({ webhooks }: FairleadConfig, resolution: Resolution): Webhook[] {
  return webhooks.flatMap((webhook, i) => {
    const secret = resolveSecret(webhook.secret, ["webhooks", i, "secret"], resolution);
    return secret === undefined ? [] : [{ ...webhook, secret }];
  });
}
