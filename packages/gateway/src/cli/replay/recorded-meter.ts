import { SelfHostedMeter, type Throughput } from "../../ledger/self-hosted-meter.ts";

const unknown: Throughput = { tokensPerHour: undefined, tokensPerBusyHour: undefined };
/** As `selfHostedPrice` writes it. */
const measured = /^self-hosted (amortised|marginal) .* ÷ ([\d,]+(?:\.\d+)?) tokens\/h \(measured\)$/;

/** Tells the throughput that the recorded prices were computed from, in place of one measured here. */
export class RecordedMeter extends SelfHostedMeter {
  readonly #told = new Map<string, { readonly version: string; readonly throughput: Throughput }>();
  readonly #upstreams: ReadonlySet<string>;

  constructor(upstreams: Iterable<string>) {
    super([]);
    this.#upstreams = new Set(upstreams);
  }

  /** Takes over what a recorded price was computed from, where that was measured. */
  note(upstream: string, version: string): void {
    if (!this.#upstreams.has(upstream) || this.#told.get(upstream)?.version === version) return;
    const [, basis, figure = ""] = measured.exec(version) ?? [];
    const tokens = Number(figure.replaceAll(",", ""));
    if (basis === undefined || !(tokens > 0)) return;
    const throughput =
      basis === "marginal" ? { ...unknown, tokensPerBusyHour: tokens } : { ...unknown, tokensPerHour: tokens };
    this.#told.set(upstream, { version, throughput });
  }

  override throughput(upstream: string): Throughput {
    return this.#told.get(upstream)?.throughput ?? unknown;
  }
}
