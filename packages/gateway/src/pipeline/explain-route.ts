import type { Dialect } from "../codecs/codec.ts";
import { GatewayError } from "../core/errors.ts";
import type { Exchange } from "../core/exchange.ts";
import type { ExchangeRecord } from "../core/exchange-record.ts";
import { type DecisionWire, decisionWire } from "../telemetry/decision-wire.ts";
import { exchangeRecord } from "../telemetry/exchange-record.ts";
import { decide, deciding, keysWish } from "./decide.ts";
import { dropsAny } from "./drops-any.ts";
import type { ChatDeps } from "./handle-chat.ts";
import { type Arrival, openBody, openPrincipal } from "./open-request.ts";
import { refuseStrategy } from "./refuse-strategy.ts";

/**
 * Decides a chat request without running it (requirement B12). Nothing is reserved, counted or kept; limits and budgets
 * are asked only when it runs.
 * @throws GatewayError as handling the request would before its first attempt
 */
export async function explainRoute(
  arrival: Arrival,
  dialect: Dialect,
  exchange: Exchange,
  deps: ChatDeps,
): Promise<DecisionWire> {
  const principal = await openPrincipal(arrival.headers, exchange, deps);
  const { chat, raw, wish, taken, foreign } = await openBody(arrival, dialect, exchange, deps, principal);
  const request = { dialect, chat, raw, taken, foreign };
  const asking = { principal, chat, wish: keysWish(wish, principal) };
  const question = deciding(asking, arrival.headers, (target) => dropsAny(request, target, deps.policy));
  const decision = decide(question, exchange, deps.deciding, "explain");
  refuseStrategy(principal, wish.strategy, decision);
  exchange.decision = decision;
  exchange.served = decision.targets[0];
  exchange.status = 200;
  exchange.outcome = "ok";
  return decisionWire(exchangeRecord(exchange, exchange.clock.monotonicMs(), undefined));
}

/**
 * What was decided for an exchange of the same key, lately (requirement B12).
 * @throws GatewayError `not_found`, also for another key's
 */
export async function showDecision(
  id: string,
  headers: Headers,
  exchange: Exchange,
  deps: ChatDeps,
): Promise<DecisionWire> {
  const principal = await openPrincipal(headers, exchange, deps);
  const kept = deps.accounts.decisions.find(id);
  const record =
    kept?.kind === "running"
      ? exchangeRecord(kept.exchange, exchange.clock.monotonicMs(), undefined)
      : (kept?.record ?? (await fromLedger(id, deps)));
  if (record !== undefined && record.keyId === principal.keyId) return decisionWire(record);
  throw new GatewayError(
    "not_found",
    `No decision \`${id.slice(0, 60)}\` of this key is kept, neither among the last ones in memory (\`routing.decisions.keep\`) nor in the ledger.`,
  );
}

/** What is not an id was never decided, and costs no look-up. A ledger that is away knows nothing now. */
async function fromLedger(id: string, { findExchange }: ChatDeps): Promise<ExchangeRecord | undefined> {
  if (findExchange === undefined || !/^[0-9a-f]{24}$/.test(id)) return undefined;
  const row = await findExchange(id).catch(() => undefined);
  return row?.record;
}
