import type { Deployment } from "../core/deployment.ts";
import type { ConversationMemory } from "./conversation-memory.ts";
import type { DeploymentState, WorkAhead } from "./deployment-state.ts";
import type { RunningWork, Surroundings } from "./ttft-predictor.ts";

interface Watched {
  readonly around: (nowMs: number) => Surroundings;
  readonly conversations: ConversationMemory;
  /** Called once, when it ends. */
  readonly release: () => void;
}

/** How an attempt ended: `neutral` when it says nothing of the target, as when the client left. */
export type AttemptResult = "success" | "failure" | "neutral";

/** Tells live state how one attempt goes on: its first token, once, and its end, once. Made by `LiveState.begin`. */
export class RunningAttempt {
  readonly #target: Deployment;
  readonly #state: DeploymentState;
  readonly #running: RunningWork;
  readonly #work: WorkAhead;
  readonly #watched: Watched;
  #ended = false;

  constructor(target: Deployment, state: DeploymentState, running: RunningWork, work: WorkAhead, watched: Watched) {
    this.#target = target;
    this.#state = state;
    this.#running = running;
    this.#work = work;
    this.#watched = watched;
  }

  /** A stream showed its first content: the target has read the prompt. */
  firstToken(nowMs: number): void {
    if (this.#ended || this.#running.firstMs !== undefined || !this.#running.streams) return;
    this.#state.ttft.firstToken(this.#running, this.#watched.around(nowMs));
    this.#state.latency.noteFirstToken(nowMs - this.#running.beganMs);
    this.#remember(nowMs);
  }

  /** `outputTokens` is what it gave in all; only successes say how fast the target is. */
  end(result: AttemptResult, outputTokens: number, nowMs: number): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#watched.release();
    const { latency, ttft } = this.#state;
    const { beganMs, firstMs } = this.#running;
    const isComplete = result === "success";
    ttft.end(this.#running, isComplete, nowMs);
    if (result !== "neutral") latency.noteOutcome(!isComplete, nowMs);
    if (!isComplete) return;
    latency.noteEndToEnd(nowMs - beganMs);
    if (firstMs !== undefined) latency.noteStream(outputTokens, nowMs - firstMs);
    this.#remember(nowMs);
  }

  #remember(nowMs: number): void {
    const { conversationHash, inputTokens } = this.#work;
    this.#watched.conversations.note(conversationHash, this.#target.id, inputTokens, nowMs);
  }
}
