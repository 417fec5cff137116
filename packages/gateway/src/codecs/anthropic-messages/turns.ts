import type { Block } from "./content.ts";
import type { ToolIds } from "./tool-ids.ts";

export interface AssistantTurn {
  readonly role: "assistant";
  readonly thinking: Block[];
  readonly texts: Block[];
  readonly toolUses: Block[];
  /** Index of the client's last message in this turn. */
  lastIndex: number;
}
interface PlainTurn {
  readonly role: "user" | "system";
  readonly blocks: Block[];
}
export type Turn = AssistantTurn | PlainTurn;

interface PendingCall {
  readonly originalId: string;
  readonly id: string;
  readonly path: string;
  result?: Block;
}

/**
 * Collects turns in the order the API insists on: roles alternate, every call has its result in the next turn, results
 * stand first there and in the order of the calls.
 * @see docs/spec/wire-formats.md 1.3
 */
export class Turns {
  readonly list: Turn[] = [];
  readonly #ids: ToolIds;
  readonly #dropped: Set<string>;
  #pending: PendingCall[] = [];
  /** Blocks that came between a call and its result: they follow the results. */
  #later: Block[] = [];

  constructor(ids: ToolIds, dropped: Set<string>) {
    this.#ids = ids;
    this.#dropped = dropped;
  }

  /** True while a call waits for its result. */
  get isWaiting(): boolean {
    return this.#pending.some((call) => call.result === undefined);
  }

  /** Tells whether the turn before the next one will be a user's, or a system message beside it. */
  get endsWithUser(): boolean {
    return this.#pending.length > 0 ? !this.isWaiting : this.list.at(-1)?.role !== "assistant";
  }

  user(blocks: readonly Block[]): void {
    if (blocks.length === 0) return;
    this.settle();
    this.#plain("user").push(...blocks);
  }

  /** Adds text for the user turn without ending the wait for results. */
  aside(block: Block): void {
    if (this.#pending.length > 0) this.#later.push(block);
    else this.#plain("user").push(block);
  }

  system(blocks: readonly Block[]): void {
    this.settle();
    this.#plain("system").push(...blocks);
  }

  assistant(index: number): AssistantTurn {
    // Without any result yet, a second assistant message belongs to the calling turn.
    if (this.#pending.some((call) => call.result !== undefined) || this.#later.length > 0) this.settle();
    const last = this.list.at(-1);
    if (last?.role === "assistant") {
      last.lastIndex = index;
      return last;
    }
    const turn: AssistantTurn = { role: "assistant", thinking: [], texts: [], toolUses: [], lastIndex: index };
    this.list.push(turn);
    return turn;
  }

  call(turn: AssistantTurn, originalId: string, path: string, block: Block): void {
    const id = this.#ids.next(originalId);
    turn.toolUses.push({ type: "tool_use", id, ...block });
    this.#pending.push({ originalId, id, path });
  }

  /** Files a result with its call; returns false when no call waits for it. */
  result(originalId: string, block: Block): boolean {
    const call = this.#pending.find((one) => one.originalId === originalId && one.result === undefined);
    if (call === undefined) return false;
    call.result = { type: "tool_result", tool_use_id: call.id, ...block };
    return true;
  }

  /** Ends the wait: puts the results into a user turn, made up where they are missing. */
  settle(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    const later = this.#later;
    this.#pending = [];
    this.#later = [];
    const results = pending.map((call) => {
      if (call.result !== undefined) return call.result;
      this.#dropped.add(call.path);
      const content = [{ type: "text", text: "No result was returned for this call." }];
      return { type: "tool_result", tool_use_id: call.id, is_error: true, content };
    });
    this.#plain("user").push(...results, ...later);
  }

  #plain(role: "user" | "system"): Block[] {
    const last = this.list.at(-1);
    if (last !== undefined && last.role !== "assistant" && last.role === role) return last.blocks;
    const turn: PlainTurn = { role, blocks: [] };
    this.list.push(turn);
    return turn.blocks;
  }
}
