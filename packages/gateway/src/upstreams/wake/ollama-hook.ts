import { engineCall } from "./engine-call.ts";
import type { WakeHook } from "./wake-hook.ts";

/** A number without a unit is seconds there, and text must have one. */
function keepAliveOf(text: string): string | number {
  return /^-?\d+$/.test(text) ? Number(text) : text;
}

/** A request without a prompt loads the model; it is answered when that is done. */
export const ollamaHook: WakeHook<"ollama"> = {
  engine: "ollama",
  answersWithinMs: undefined,
  traits: () => ({ covers: "model", startsServer: false, sleeps: false }),

  async wake({ keepAlive }, call) {
    const kept = keepAlive === undefined ? {} : { keep_alive: keepAliveOf(keepAlive) };
    await engineCall("/api/generate", { model: call.target.model, stream: false, ...kept }, call);
  },
};
