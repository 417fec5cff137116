import type { EngineName } from "@fairlead/contract/names";
import type { Engine } from "./engine.ts";
import { llamacpp } from "./llamacpp.ts";
import { ollama } from "./ollama.ts";
import { sglang } from "./sglang.ts";
import { tgi } from "./tgi.ts";
import { vllm } from "./vllm.ts";

/** Every engine that probes and discovery know. A missing or surplus entry does not compile. */
export const engines = { vllm, llamacpp, ollama, sglang, tgi } as const satisfies Record<EngineName, Engine>;
