import type { Dialect } from "../codecs/codec.ts";
import type { ChatRequest } from "../core/chat.ts";
import type { ReportedUsage } from "../core/usage.ts";
import type { StreamRelay } from "./stream-relay.ts";

/** A client's request as this exchange holds it: decoded for routing, raw for native relay. */
export interface ClientRequest {
  readonly dialect: Dialect;
  readonly chat: ChatRequest;
  /** The body as the client sent it. */
  readonly raw: string;
  /** Body fields that are the gateway's own and never reach an upstream. */
  readonly taken: readonly string[];
  /** Body fields that only upstreams which route themselves understand. */
  readonly foreign: readonly string[];
}

/** A whole answer in the client's format. */
export interface WholeReply {
  readonly body: string;
  readonly usage: ReportedUsage | undefined;
  readonly outputCharacters: number;
  /** It says nothing but that the content is refused. */
  readonly isRefused: boolean;
}

/** One target's request, ready to send, with what turns its answer into the client's. */
export interface Prepared {
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Client parameters this target does not get as they were sent. */
  readonly dropped: readonly string[];
  /** The upstream is asked to stream. */
  readonly streams: boolean;
  /** @throws GatewayError `bad_upstream_response` */
  readonly readWhole: (text: string) => WholeReply;
  readonly makeRelay: () => StreamRelay;
  /** Set when a stream is collected for a client that wants one answer; called once, after a clean end. */
  readonly collect: (() => WholeReply) | undefined;
}

export interface ReplyIdentity {
  /** Used where the upstream gives no id of its own. */
  readonly id: string;
  /** Unix seconds. */
  readonly createdAt: number;
}
