import { Hono } from "hono";
import { dialects } from "../codecs/registry.ts";
import { GatewayError } from "../core/errors.ts";
import { Exchange } from "../core/exchange.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import { explainRoute, showDecision } from "../pipeline/explain-route.ts";
import { type ChatDeps, handleChat } from "../pipeline/handle-chat.ts";
import { retryHeaders } from "../pipeline/reply-headers.ts";
import { authenticate } from "../policy/authenticate.ts";
import { allowedTargets } from "../policy/model-access.ts";
import type { PrometheusSink } from "../sinks/prometheus/prometheus-sink.ts";
import type { BodyHold, BodyMemory } from "./body-memory.ts";
import { modelList } from "./model-list.ts";
import { type BodyLimits, readBody } from "./read-body.ts";
import { upstreamHealth } from "./upstream-health.ts";

/** The admin API as a function; loaded when it is first asked. */
export interface AdminApi {
  /** Whether a path is its business. */
  owns(path: string): boolean;
  /** `address` is where the request came from, as far as is known. */
  fetch(request: Request, address: string | undefined): Promise<Response>;
}

/** What the socket knows of a request. */
export interface Connection {
  /** Costs a look-up, so only who needs it asks. */
  readonly address: () => string | undefined;
  /** The answer is about to be complete: from now on the connection may only be idle for so long. */
  readonly rest: () => void;
}

/** The parts of the running gateway that its HTTP routes see. */
export interface DataPlaneDeps {
  /** Of the config that is in force now; a request keeps what it began with. */
  readonly chat: () => ChatDeps;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly limits: () => BodyLimits;
  readonly bodies: BodyMemory;
  readonly metrics: PrometheusSink;
  readonly admin: AdminApi | undefined;
  readonly draining: () => boolean;
  /** Called as an exchange begins, so that a drain can wait for all or end them. */
  readonly track: (exchange: Exchange, settled: Promise<unknown>) => void;
}

/** All public routes. A `Request → Response` function on Web standards. */
export function dataPlane(deps: DataPlaneDeps): Hono<{ Bindings: Connection }> {
  const app = new Hono<{ Bindings: Connection }>();
  const { clock, randomness } = deps;
  const dialect = dialects["openai-chat"];

  /** What a request holds of the memory for bodies lasts as long as its exchange: a retry sends the body again. */
  const arrivalOf = (request: Request, hold: BodyHold) => ({
    headers: request.headers,
    readBody: () => readBody(request, deps.limits(), clock, hold),
  });
  app.post("/v1/chat/completions", async ({ req: { raw: request }, env: { rest } }) => {
    const { headers } = request;
    const exchange = new Exchange({ id: randomness.id(), dialect: dialect.name, clock, hops: readHops(headers) });
    const left = (): void =>
      exchange.client.hangUp(new GatewayError("client_gone", "The client closed the connection."));
    if (request.signal.aborted) left();
    else request.signal.addEventListener("abort", left, { once: true });
    const hold = deps.bodies.hold();
    exchange.whenSettled(hold.release);
    // While the connection still has this request: after its last byte it could not be told any more.
    exchange.whenSettled(rest);
    const reply = handleChat(arrivalOf(request, hold), dialect, exchange, deps.chat());
    deps.track(
      exchange,
      reply.then(({ settled }) => settled),
    );
    return (await reply).response;
  });

  /** An exchange that is only asked about: nothing of it runs or is kept. */
  const asIf = (headers: Headers): Exchange =>
    new Exchange({ id: randomness.id(), dialect: dialect.name, clock, hops: readHops(headers) });
  app.post("/v1/route", async ({ req: { raw: request } }) => {
    const { headers } = request;
    const hold = deps.bodies.hold();
    try {
      return Response.json(await explainRoute(arrivalOf(request, hold), dialect, asIf(headers), deps.chat()));
    } finally {
      hold.release();
    }
  });
  app.get("/v1/decisions/:id", async ({ req }) => {
    const { headers } = req.raw;
    return Response.json(await showDecision(req.param("id"), headers, asIf(headers), deps.chat()));
  });

  app.get("/v1/models", async ({ req: { raw: request } }) => {
    const { keys, catalogue } = deps.chat();
    const principal = await authenticate(request.headers, keys);
    return Response.json(modelList(catalogue, allowedTargets(principal, catalogue)));
  });
  app.get("/health", () => Response.json({ status: "ok" }));
  app.get("/health/ready", () =>
    deps.draining() ? Response.json({ status: "draining" }, { status: 503 }) : Response.json({ status: "ready" }),
  );
  app.get("/health/upstreams", () => {
    const { catalogue, live } = deps.chat();
    return Response.json(upstreamHealth(catalogue, live, clock));
  });
  app.get("/metrics", async () => {
    const { body, contentType } = await deps.metrics.scrape();
    return new Response(body, { headers: { "content-type": contentType } });
  });

  const answer = (error: GatewayError): Response => {
    const id = randomness.id();
    const headers = { "x-router-decision-id": id, ...retryHeaders(error) };
    return Response.json(dialect.encodeError(error, id), { status: error.status, headers });
  };
  app.notFound(({ req, env }) => {
    if (deps.admin?.owns(req.path)) return deps.admin.fetch(req.raw, env.address());
    const methods = app.routes.filter((route) => route.path === req.path).map((route) => route.method);
    const path = req.path.slice(0, 120);
    if (methods.length === 0) {
      return answer(new GatewayError("not_found", `There is nothing at ${req.method} ${path}. The API begins at /v1.`));
    }
    const response = answer(new GatewayError("method_not_allowed", `${path} takes ${methods.join(", ")} only.`));
    response.headers.set("allow", methods.join(", "));
    return response;
  });
  app.onError((thrown) => {
    const error = GatewayError.from(thrown);
    if (error.row.fault === "gateway") for (const sink of deps.chat().accounts.sinks) sink.operatorAlert(error, "-");
    return answer(error);
  });
  return app;
}

/** Ids of the gateways a request passed, from `X-Router-Hop`; bounded. */
function readHops(headers: Headers): readonly string[] {
  const value = headers.get("x-router-hop");
  return value === null ? [] : value.split(",", 16).map((id) => id.trim().slice(0, 64));
}
