import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import { logSink } from "../sinks/log/log-sink.ts";
import { type LogOutput, makeLogger } from "../sinks/log/make-logger.ts";
import { WebhookSinks } from "../sinks/webhook/webhook-sinks.ts";
import type { Sink } from "../telemetry/sink.ts";

export interface OutputOptions {
  readonly asText: boolean;
  readonly colour: boolean;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

/** What a start may have to tell before it is known where. */
const mostEarly = 20;

/** The log and the webhooks of a process. What is told before they are known is kept and told then. */
export class Outputs {
  #early: GatewayError[] = [];
  #sinks: readonly Sink[] = [];
  #log: LogOutput | undefined;
  #webhooks: WebhookSinks | undefined;

  get sinks(): readonly Sink[] {
    return this.#sinks;
  }

  open({ logging, webhooks }: ResolvedConfig, { asText, colour, clock, randomness }: OutputOptions): LogOutput {
    const log = makeLogger(logging.level, asText ? "text" : "json", colour);
    this.#log = log;
    const warn = (text: string): void => this.warn(text);
    this.#webhooks = new WebhookSinks({ clock, randomness, warn });
    this.#webhooks.follow(webhooks);
    this.#sinks = [logSink(log), this.#webhooks];
    for (const error of this.#early.splice(0)) this.alert(error);
    return log;
  }

  /** Goes by another config from now on. */
  follow({ logging, webhooks }: ResolvedConfig): void {
    if (this.#log !== undefined) this.#log.logger.level = logging.level;
    this.#webhooks?.follow(webhooks);
  }

  readonly alert = (error: GatewayError): void => {
    if (this.#log === undefined) {
      if (this.#early.length < mostEarly) this.#early.push(error);
      return;
    }
    for (const sink of this.#sinks) sink.operatorAlert(error, "-");
  };

  readonly warn = (text: string): void => {
    this.#log?.logger.warn({ event: "warning" }, text);
  };
}
