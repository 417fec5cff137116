/** What befalls a stream; said by its prompt, so that client and upstream agree. */
export type Fate = "whole" | "cut" | "stall" | "error" | "refused" | "silent-end";

/** What a soak's prompt says: how many chunks, what befalls the stream, and after how many. */
export interface Script {
  readonly chunks: number;
  readonly fate: Fate;
  readonly at: number;
}

export const scriptText = ({ chunks, fate, at }: Script): string => `soak:${chunks}:${fate}:${at};`;

export function readScript(text: string): Script {
  const [, chunks = "1", fate = "whole", at = "0"] = /soak:(\d+):([a-z-]+):(\d+);/.exec(text) ?? [];
  return { chunks: Number(chunks), fate: fate as Fate, at: Number(at) };
}
