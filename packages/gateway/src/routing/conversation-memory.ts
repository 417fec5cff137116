import type { Deployment, DeploymentId } from "../core/deployment.ts";

/** Conversations remembered; the least recently used one leaves first. */
const maxConversations = 10_000;

/**
 * How long a target is trusted to have a conversation in its cache. Providers drop prompt caches that were not used for
 * five minutes. An engine of one's own keeps what fits until others push it out, which takes longer but is sure in the end.
 */
const cacheLifeMs = { cloud: 5 * 60_000, local: 30 * 60_000 } as const;

interface LastTurn {
  readonly target: DeploymentId;
  readonly promptTokens: number;
  readonly atMs: number;
}

/** Which target served a conversation's last turn, and how much of its prompt it has read. Bounded. */
export class ConversationMemory {
  /** Least recently used first. */
  readonly #turns = new Map<number, LastTurn>();
  /** Told of each turn that was served here. */
  onNoted: ((conversation: number, target: DeploymentId, promptTokens: number) => void) | undefined;

  /** A hash of 0 is no conversation. */
  note(conversation: number, target: DeploymentId, promptTokens: number, atMs: number): void {
    if (conversation === 0) return;
    this.adopt(conversation, target, promptTokens, atMs);
    this.onNoted?.(conversation, target, promptTokens);
  }

  /** A turn that another replica served. */
  adopt(conversation: number, target: DeploymentId, promptTokens: number, atMs: number): void {
    this.#turns.delete(conversation);
    this.#turns.set(conversation, { target, promptTokens, atMs });
    if (this.#turns.size <= maxConversations) return;
    const oldest = this.#turns.keys().next();
    if (oldest.done !== true) this.#turns.delete(oldest.value);
  }

  /** Tokens of the last turn's prompt that this target still has in its cache; 0 for none. */
  warmTokens(conversation: number, target: Deployment, nowMs: number): number {
    const turn = this.#turns.get(conversation);
    if (turn === undefined || turn.target !== target.id) return 0;
    return nowMs - turn.atMs <= cacheLifeMs[target.upstream.placement] ? turn.promptTokens : 0;
  }

  get size(): number {
    return this.#turns.size;
  }
}
