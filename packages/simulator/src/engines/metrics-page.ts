import type { EngineState } from "../engine-state.ts";
import type { ModelSpec } from "../flavour.ts";

/** Writes vLLM's metrics under their real names and labels. */
export function vllmMetrics(models: readonly ModelSpec[], state: EngineState): string {
  const labels = `engine="0",model_name="${models[0]?.id ?? "none"}"`;
  const { counters } = state;
  const lines = [
    ...gauge("vllm:num_requests_running", labels, state.running),
    ...gauge("vllm:num_requests_waiting", labels, state.waiting),
    ...gauge("vllm:kv_cache_usage_perc", labels, state.kvUsage),
    ...gauge("vllm:engine_sleep_state", `${labels},sleep_state="awake"`, state.sleeping ? 0 : 1),
    ...counter("vllm:prefix_cache_queries_total", labels, counters.prompt),
    ...counter("vllm:prefix_cache_hits_total", labels, 0),
    ...counter("vllm:prompt_tokens_total", labels, counters.prompt),
    ...counter("vllm:generation_tokens_total", labels, counters.generated),
    "# TYPE vllm:request_success_total counter",
    ...["stop", "length", "abort"].map(
      (reason) => `vllm:request_success_total{${labels},finished_reason="${reason}"} ${float(finished(state, reason))}`,
    ),
    "# TYPE vllm:time_to_first_token_seconds histogram",
    `vllm:time_to_first_token_seconds_bucket{${labels},le="+Inf"} ${float(counters.answers)}`,
    `vllm:time_to_first_token_seconds_count{${labels}} ${float(counters.answers)}`,
    `vllm:time_to_first_token_seconds_sum{${labels}} ${float(counters.firstTokenSeconds)}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Writes llama.cpp's metrics under their real names. */
export function llamaMetrics(state: EngineState): string {
  const lines = [
    ...counter("llamacpp:prompt_tokens_total", "", state.counters.prompt),
    ...counter("llamacpp:tokens_predicted_total", "", state.counters.generated),
    ...counter("llamacpp:n_decode_total", "", state.counters.generated),
    ...gauge("llamacpp:requests_processing", "", state.running),
    ...gauge("llamacpp:requests_deferred", "", state.waiting),
    ...gauge("llamacpp:n_tokens_max", "", state.counters.prompt + state.counters.generated),
  ];
  return `${lines.join("\n")}\n`;
}

function finished(state: EngineState, reason: string): number {
  let total = 0;
  for (const [finish, count] of state.counters.finished) {
    const kind = finish === "length" || finish === "abort" ? finish : "stop";
    if (kind === reason) total += count;
  }
  return total;
}

function gauge(name: string, labels: string, value: number): string[] {
  return [`# TYPE ${name} gauge`, line(name, labels, value)];
}

function counter(name: string, labels: string, value: number): string[] {
  return [`# TYPE ${name} counter`, line(name, labels, value)];
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${float(value)}`;
}

/** Prometheus clients in Python print floats with a decimal point. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
