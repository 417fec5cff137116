import type { Capability } from "@fairlead/contract/names";

const params: Readonly<Record<Capability, string>> = {
  tools: "tools",
  vision: "messages",
  json_schema: "response_format",
  reasoning: "reasoning_effort",
  pdf: "messages",
  audio_in: "messages",
  audio_out: "modalities",
  logprobs: "logprobs",
  n: "n",
  prefill: "messages",
};

/** Names the request's member that asks for a capability. */
export function capabilityParam(need: Capability): string {
  return params[need];
}
