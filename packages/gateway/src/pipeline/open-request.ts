import type { Dialect } from "../codecs/codec.ts";
import type { ChatRequest } from "../core/chat.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { Principal } from "../core/principal.ts";
import type { RoutingWish } from "../core/routing-wish.ts";
import type { KeyStore } from "../keys/key-store.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { nestsDeeper } from "../lib/nests-deeper.ts";
import { authenticate } from "../policy/authenticate.ts";
import { refuseCrossSite } from "../policy/refuse-cross-site.ts";
import { foreignFields, readRoutingWish } from "../routing/routing-wish.ts";

/** A chat request as the server received it. */
export interface Arrival {
  readonly headers: Headers;
  /** @throws GatewayError `request_too_large` or `request_timeout` */
  readonly readBody: () => Promise<string>;
}

const noFields: readonly string[] = [];

/** Who asks, and what. */
export interface OpenedRequest {
  readonly principal: Principal;
  readonly chat: ChatRequest;
  /** The body as it came. */
  readonly raw: string;
  readonly wish: RoutingWish;
  /** Body fields that are the gateway's own. */
  readonly taken: readonly string[];
  /** Body fields that only upstreams which route themselves understand. */
  readonly foreign: readonly string[];
}

export interface OpenDeps {
  readonly keys: KeyStore;
  readonly catalogue: Catalogue;
  /** Only this machine can connect. */
  readonly isLoopbackBind: boolean;
}

/**
 * Finds out who asks; at once where the key is known already.
 * @throws GatewayError `unauthorized` and its kin
 */
export function openPrincipal(headers: Headers, exchange: Exchange, deps: OpenDeps): Principal | Promise<Principal> {
  const accept = (principal: Principal): Principal => {
    if (principal.kind === "anonymous") refuseCrossSite(headers, deps.isLoopbackBind);
    exchange.principal = principal;
    return principal;
  };
  const authenticating = authenticate(headers, deps.keys);
  return authenticating instanceof Promise ? authenticating.then(accept) : accept(authenticating);
}

/**
 * Reads and decodes the body.
 * @throws GatewayError `invalid_json`, `invalid_request` and what reading throws
 */
export async function openBody(
  arrival: Arrival,
  dialect: Dialect,
  exchange: Exchange,
  { catalogue }: OpenDeps,
  principal: Principal,
): Promise<Omit<OpenedRequest, "principal">> {
  exchange.waits();
  let raw: string;
  try {
    raw = await arrival.readBody();
  } finally {
    exchange.waited();
  }
  const body = parseBody(raw);
  const isTaken = takesForeign(body, catalogue, principal);
  const { wish, taken } = readRoutingWish(arrival.headers, body, isTaken);
  const foreign = isTaken ? noFields : foreignFields.filter((field) => body[field] !== undefined);
  for (const field of taken) delete body[field];
  const chat = dialect.decodeRequest(body);
  exchange.asked = (chat.model ?? wish.models?.[0])?.slice(0, 256) ?? "auto";
  exchange.stream = chat.stream;
  return { chat, raw, wish, taken, foreign };
}

/** Whether `provider`, `models` and `route` are meant for this gateway: no candidate is a router that knows them itself. */
function takesForeign(body: JsonObject, { deployments, names, fallback }: Catalogue, { aliases }: Principal): boolean {
  if (foreignFields.every((field) => body[field] === undefined)) return false;
  const model = body["model"];
  const named = typeof model === "string" ? names.get(aliases.get(model) ?? model) : undefined;
  const candidates = named === undefined ? deployments : [...named.targets, ...(named.fallback ?? fallback)];
  return candidates.every(({ upstream }) => !upstream.routesItself);
}

/** Deeper than any schema that makes sense. */
const mostLevels = 256;

/** @throws GatewayError `invalid_json` or `invalid_request` */
function parseBody(raw: string): Record<string, unknown> {
  if (nestsDeeper(raw, mostLevels)) {
    throw new GatewayError("invalid_request", `The request body nests deeper than ${mostLevels} levels.`);
  }
  let body: unknown;
  try {
    body = JSON.parse(raw);
  } catch (cause) {
    // What the parser quotes may be a piece of a prompt, and records and logs keep this message.
    const what = cause instanceof Error ? cause.message.replace(/".*"/s, "…").slice(0, 120) : "";
    throw new GatewayError("invalid_json", `The request body is not valid JSON: ${what}`, { cause });
  }
  if (isObject(body)) return body;
  throw new GatewayError("invalid_request", "The request body must be a JSON object.");
}
