import type { Placement } from "@fairlead/contract/names";
import type { Deployment } from "../core/deployment.ts";
import type { ResolvedUpstream } from "./resolve-upstream.ts";

function add(map: Map<string, Deployment[]>, name: string, deployment: Deployment): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [deployment]);
  else if (!list.includes(deployment)) list.push(deployment);
}

/** Deployments by the names they have of their own; every list in the order of the config. */
export class DeploymentIndex {
  readonly all: readonly Deployment[];
  /** Model id → all that serve it. */
  readonly byModel: ReadonlyMap<string, readonly Deployment[]>;
  /** `<upstream>/<model>` → one. */
  readonly byId: ReadonlyMap<string, readonly Deployment[]>;
  /** A deployment's own alias → all that have it. */
  readonly byAlias: ReadonlyMap<string, readonly Deployment[]>;
  readonly #flagships: readonly Deployment[];

  constructor(upstreams: readonly ResolvedUpstream[]) {
    const byModel = new Map<string, Deployment[]>();
    const byId = new Map<string, Deployment[]>();
    const byAlias = new Map<string, Deployment[]>();
    this.all = upstreams.flatMap((upstream) => upstream.deployments);
    for (const deployment of this.all) {
      add(byModel, deployment.model, deployment);
      add(byId, deployment.id, deployment);
      for (const alias of deployment.aliases) add(byAlias, alias, deployment);
    }
    this.byModel = byModel;
    this.byId = byId;
    this.byAlias = byAlias;
    this.#flagships = upstreams.flatMap(({ flagship }) => (flagship === undefined ? [] : [flagship]));
  }

  /** Every deployment of a placement: first each upstream's flagship, then the others. */
  on(placement: Placement): readonly Deployment[] {
    return [...new Set([...this.#flagships, ...this.all])].filter((d) => d.upstream.placement === placement);
  }

  /** Finds deployments by a name of their own: full id, model id, alias, in this order. */
  find(name: string): readonly Deployment[] | undefined {
    return this.byId.get(name) ?? this.byModel.get(name) ?? this.byAlias.get(name);
  }
}
