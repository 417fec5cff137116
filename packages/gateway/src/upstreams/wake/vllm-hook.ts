import { engineCall } from "./engine-call.ts";
import type { WakeHook } from "./wake-hook.ts";

/**
 * vLLM's sleep mode. Level 2 drops the weights, so they are read again between waking their memory and that of the cache.
 * @see https://docs.vllm.ai/en/latest/features/sleep_mode/
 */
export const vllmHook: WakeHook<"vllm"> = {
  engine: "vllm",
  answersWithinMs: undefined,
  traits: ({ sleepAfterMs }) => ({ covers: "server", startsServer: false, sleepAfterMs, sleeps: true }),

  async wake({ sleepLevel }, call) {
    if (sleepLevel === 1) {
      await engineCall("/wake_up", undefined, call);
      return;
    }
    await engineCall("/wake_up?tags=weights", undefined, call);
    await engineCall("/collective_rpc", { method: "reload_weights" }, call);
    await engineCall("/wake_up?tags=kv_cache", undefined, call);
  },

  /** Requests that others have running there are waited for, where the version can. */
  sleep: ({ sleepLevel }, call) => engineCall(`/sleep?level=${sleepLevel}&mode=wait`, undefined, call),
};
