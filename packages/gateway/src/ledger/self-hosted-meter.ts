/** What an upstream really serves, input and output together. */
export interface Throughput {
  /** Over all hours since the first request, idle ones included. */
  readonly tokensPerHour: number | undefined;
  /** Over the time in which at least one request ran. */
  readonly tokensPerBusyHour: number | undefined;
}

const hourMs = 3_600_000;
const windowHours = 24;
/** A rate that moved with each request would give neighbours different prices. */
const recomputeMs = 60_000;
/** Less than this says nothing of a usual hour. */
const leastMs = hourMs;
const leastBusyMs = 5 * 60_000;
const leastTokens = 10_000;

interface Hour {
  /** Hours since the clock's zero. */
  hour: number;
  tokens: number;
  busyMs: number;
}

interface Meter {
  /** A ring over the window, indexed by hour. */
  readonly hours: readonly Hour[];
  firstMs: number | undefined;
  running: number;
  /** Until when busy time is booked. */
  bookedMs: number;
  computedMs: number;
  throughput: Throughput;
}

const unmeasured: Throughput = { tokensPerHour: undefined, tokensPerBusyHour: undefined };

/**
 * Measures tokens per hour of self-hosted upstreams over the last 24 hours, in this process. A rate stays undefined until
 * enough was served, and stays as it was while nothing is. Times are monotonic milliseconds. Synchronous and cheap.
 */
export class SelfHostedMeter {
  #meters: ReadonlyMap<string, Meter> = new Map();

  /** Only the upstreams named here are measured; others cost nothing. */
  constructor(upstreams: Iterable<string>) {
    this.measure(upstreams);
  }

  /** Measures these from now on; what was measured of those that stay is kept. */
  measure(upstreams: Iterable<string>): void {
    this.#meters = new Map(Array.from(upstreams, (name) => [name, this.#meters.get(name) ?? newMeter()]));
  }

  /** A request went out. Each needs its `ended`. */
  began(upstream: string, nowMs: number): void {
    const meter = this.#meters.get(upstream);
    if (meter === undefined) return;
    meter.firstMs ??= nowMs;
    bookBusy(meter, nowMs);
    meter.running++;
  }

  /** It ended, whichever way, having used so many tokens. */
  ended(upstream: string, tokens: number, nowMs: number): void {
    const meter = this.#meters.get(upstream);
    if (meter === undefined || meter.running === 0) return;
    bookBusy(meter, nowMs);
    meter.running--;
    hourAt(meter, Math.floor(nowMs / hourMs)).tokens += tokens;
  }

  /** Changes at most once a minute; the same object until then. */
  throughput(upstream: string, nowMs: number): Throughput {
    const meter = this.#meters.get(upstream);
    if (meter?.firstMs === undefined) return unmeasured;
    if (nowMs - meter.computedMs >= recomputeMs) {
      bookBusy(meter, nowMs);
      meter.computedMs = nowMs;
      meter.throughput = measure(meter, meter.firstMs, nowMs);
    }
    return meter.throughput;
  }
}

function newMeter(): Meter {
  const hours = Array.from({ length: windowHours }, () => ({ hour: -1, tokens: 0, busyMs: 0 }));
  return {
    hours,
    firstMs: undefined,
    running: 0,
    bookedMs: 0,
    computedMs: Number.NEGATIVE_INFINITY,
    throughput: unmeasured,
  };
}

/** Returns the ring's place for an hour, emptied of what stood there a day ago. */
function hourAt({ hours }: Meter, hour: number): Hour {
  const place = hours[hour % windowHours]!;
  if (place.hour !== hour) Object.assign(place, { hour, tokens: 0, busyMs: 0 });
  return place;
}

/** Books the time since the last call to the hours it fell in. */
function bookBusy(meter: Meter, nowMs: number): void {
  if (meter.running > 0) {
    const oldestMs = (Math.floor(nowMs / hourMs) - windowHours + 1) * hourMs;
    for (let fromMs = Math.max(meter.bookedMs, oldestMs); fromMs < nowMs; ) {
      const hour = Math.floor(fromMs / hourMs);
      const untilMs = Math.min(nowMs, (hour + 1) * hourMs);
      hourAt(meter, hour).busyMs += untilMs - fromMs;
      fromMs = untilMs;
    }
  }
  meter.bookedMs = nowMs;
}

function measure(meter: Meter, firstMs: number, nowMs: number): Throughput {
  const oldest = Math.floor(nowMs / hourMs) - windowHours + 1;
  let tokens = 0;
  let busyMs = 0;
  for (const hour of meter.hours) {
    if (hour.hour < oldest) continue;
    tokens += hour.tokens;
    busyMs += hour.busyMs;
  }
  const measuredMs = nowMs - Math.max(firstMs, oldest * hourMs);
  if (tokens < leastTokens) return meter.throughput;
  const { tokensPerHour, tokensPerBusyHour } = meter.throughput;
  return {
    tokensPerHour: measuredMs < leastMs ? tokensPerHour : (tokens * hourMs) / measuredMs,
    tokensPerBusyHour: busyMs < leastBusyMs ? tokensPerBusyHour : (tokens * hourMs) / busyMs,
  };
}
