import { httpHook } from "./http-hook.ts";
import { kubernetesHook } from "./kubernetes-hook.ts";
import { ollamaHook } from "./ollama-hook.ts";
import { vllmHook } from "./vllm-hook.ts";
import type { WakeHook, WakeType } from "./wake-hook.ts";

/** Every kind of wake-up. A missing or surplus entry does not compile. */
export const wakeHooks = {
  http: httpHook,
  kubernetes: kubernetesHook,
  ollama: ollamaHook,
  vllm: vllmHook,
} as const satisfies { readonly [T in WakeType]: WakeHook<T> };
