import type { MaxPrice, RoutingWish } from "../core/routing-wish.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { WishReader } from "./wish-reader.ts";

/** Body fields that are the gateway's own and never reach an upstream. */
export const gatewayFields = ["routing", "routing_strategy"] as const;

/** The wish, and the body fields that are not the upstream's. */
export interface ReadWish {
  readonly wish: RoutingWish;
  readonly taken: readonly string[];
}

/** Body fields of routers behind this gateway; for other upstreams they mean nothing. */
export const foreignFields = ["provider", "models", "route"] as const;
const mostNames = 64;

/**
 * Reads the wish from headers and body; the header is the stronger one, `routing` the next. `provider`, `models` and
 * `route` at the body's top level mean the same as under `routing` where `takesForeign` says that no upstream knows them.
 * @throws GatewayError `invalid_request`: a wish that cannot be kept is refused, never ignored
 */
export function readRoutingWish(headers: Headers, body: JsonObject, takesForeign: boolean): ReadWish {
  const { routing, routing_strategy: named, provider } = body;
  if (!takesForeign && routing === undefined && named === undefined && provider === undefined) {
    return { wish: fromHeaders(headers, {}), taken: gatewayFields };
  }
  const own = new WishReader(routing, "routing");
  const foreign = takesForeign ? readForeign(body) : undefined;
  const wish = readFields(own);
  own.finish();
  const strategy = new WishReader({ routing_strategy: named }, "").name("routing_strategy");
  const given = foreign === undefined ? { ...deniedBy(provider), ...wish } : { ...foreign.wish, ...wish };
  return {
    wish: fromHeaders(headers, strategy === undefined ? given : { strategy, ...given }),
    taken: foreign === undefined ? gatewayFields : [...gatewayFields, ...foreign.taken],
  };
}

type Given = { -readonly [K in keyof RoutingWish]?: RoutingWish[K] };

/** Leaves out what was not given, so that a weaker source shows through. */
function given(wish: Given): Partial<RoutingWish> {
  for (const key of Object.keys(wish) as (keyof Given)[]) if (wish[key] === undefined) delete wish[key];
  return wish;
}

function readFields(fields: WishReader): Partial<RoutingWish> {
  return given({
    strategy: fields.name("strategy"),
    maxLatencyMs: fields.positive("max_latency_ms"),
    maxCostUsd: fields.atLeastZero("max_cost_usd"),
    region: fields.name("region"),
    session: fields.name("session"),
    ...readPreferences(fields),
    models: fields.names("models", mostNames),
    ...(fields.choice("data", ["local-only"]) === undefined ? {} : { localOnly: true }),
  });
}

/** The fields that stand in a `provider` object too. */
function readPreferences(fields: WishReader): Given {
  const sort = fields.choice("sort", ["price", "throughput", "latency"]);
  return {
    order: fields.names("order", mostNames),
    only: fields.names("only", mostNames),
    ignore: fields.names("ignore", mostNames),
    allowFallbacks: fields.flag("allow_fallbacks"),
    requireParameters: fields.flag("require_parameters"),
    maxPrice: readMaxPrice(fields),
    sort: sort === undefined ? undefined : sorts[sort],
  };
}

const sorts = { price: "cheapest", latency: "fastest", throughput: "throughput" } as const;

function readMaxPrice(fields: WishReader): MaxPrice | undefined {
  const price = fields.object("max_price");
  if (price === undefined) return undefined;
  const read: MaxPrice = {
    prompt: price.atLeastZero("prompt"),
    completion: price.atLeastZero("completion"),
    request: price.atLeastZero("request"),
  };
  price.finish();
  return read;
}

/** What a promise to another router means for targets that are none. */
function deniedBy(provider: unknown): Partial<RoutingWish> {
  return isObject(provider) && provider["data_collection"] === "deny" ? { dataCollection: "deny" } : {};
}

function readForeign(body: JsonObject): { wish: Partial<RoutingWish>; taken: readonly string[] } | undefined {
  const taken = foreignFields.filter((field) => body[field] !== undefined);
  if (taken.length === 0) return undefined;
  const top = new WishReader(body, "");
  const models = top.names("models", mostNames);
  top.choice("route", ["fallback"]);
  const provider = top.object("provider");
  const preferences: Given = provider === undefined ? {} : readPreferences(provider);
  // Who collects data cannot be told of an upstream: `deny` is kept by staying on the premises, `allow` is no wish.
  const denies = provider?.choice("data_collection", ["allow", "deny"]) === "deny";
  provider?.finish();
  return { wish: given({ ...preferences, models, ...(denies && { localOnly: true }) }), taken };
}

function fromHeaders(headers: Headers, body: Partial<RoutingWish>): RoutingWish {
  const fields = headerFields(headers);
  if (fields === undefined) return body.localOnly === undefined ? { ...body, localOnly: false } : (body as RoutingWish);
  const reader = new WishReader(fields, "");
  const strategy = reader.name("X-Router-Strategy")?.toLowerCase();
  const more = given({
    strategy,
    maxLatencyMs: reader.positive("X-Router-Max-Latency-Ms"),
    maxCostUsd: reader.atLeastZero("X-Router-Max-Cost-Usd"),
    region: reader.name("X-Router-Region"),
    session: reader.name("X-Router-Session"),
  });
  const data = reader.choice("X-Router-Data", ["local-only"]);
  return { ...body, ...more, localOnly: body.localOnly === true || data !== undefined };
}

const numbers = ["X-Router-Max-Latency-Ms", "X-Router-Max-Cost-Usd"];
const texts = ["X-Router-Strategy", "X-Router-Region", "X-Router-Session"];

function headerFields(headers: Headers): JsonObject | undefined {
  let fields: Record<string, unknown> | undefined;
  const put = (name: string, value: unknown): void => {
    fields ??= {};
    fields[name] = value;
  };
  for (const name of texts) {
    const value = headers.get(name);
    if (value !== null) put(name, value.trim());
  }
  for (const name of numbers) {
    const value = headers.get(name);
    if (value === null) continue;
    const number = value.trim() === "" ? Number.NaN : Number(value);
    put(name, Number.isNaN(number) ? value : number);
  }
  const data = headers.get("x-router-data");
  if (data !== null) put("X-Router-Data", data.trim().toLowerCase());
  return fields;
}
