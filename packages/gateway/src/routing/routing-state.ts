import type { StrategyName } from "@fairlead/contract/routing-names";
import type { ControlChoice } from "../core/decision.ts";
import type { Catalogue } from "../core/gateway-model.ts";
import type { ShareTarget, Strategy } from "../core/strategy.ts";
import { ShareControl } from "./share-control.ts";

interface Control {
  readonly target: ShareTarget;
  readonly control: ShareControl;
}

/**
 * What routing remembers across requests and configs beside live state: the controls of strategies that hold a share or
 * daily dollars. Keyed by configured names only, so bounded.
 */
export class RoutingState {
  readonly #controls = new Map<StrategyName, Control>();

  constructor(catalogue: Catalogue) {
    this.follow(catalogue);
  }

  /** Takes over another config: controls whose target stayed keep what they learned. */
  follow({ strategies }: Catalogue): void {
    for (const name of this.#controls.keys())
      if (strategies.get(name)?.control === undefined) this.#controls.delete(name);
    for (const { name, control: target } of strategies.values()) {
      if (target === undefined || sameTarget(this.#controls.get(name)?.target, target)) continue;
      this.#controls.set(name, { target, control: new ShareControl(target) });
    }
  }

  /** Where a request of this complexity goes, and learns from it. Once a request. */
  choose({ name }: Strategy, complexity: number, nowMs: number): ControlChoice | undefined {
    return this.#controls.get(name)?.control.choose(complexity, nowMs);
  }

  /** Where it would go; learns nothing. */
  peek({ name }: Strategy, complexity: number): ControlChoice | undefined {
    return this.#controls.get(name)?.control.peek(complexity);
  }

  /** What a request of the strategy spent in cloud. */
  spent(name: StrategyName, costUsd: number, nowMs: number): void {
    this.#controls.get(name)?.control.spent(costUsd, nowMs);
  }
}

function sameTarget(a: ShareTarget | undefined, b: ShareTarget): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
