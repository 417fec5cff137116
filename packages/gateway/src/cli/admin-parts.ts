import { randomBytes } from "node:crypto";
import { strategyAliases } from "@fairlead/contract/routing-names";
import type { AdminDeps, FirstRun, ShownModel } from "../admin/admin-deps.ts";
import { isAdminPath, lazyAdmin } from "../admin/lazy-admin.ts";
import type { GatewayViews } from "../build-gateway.ts";
import type { ResolvedConfig } from "../config/resolve-catalogue.ts";
import type { Price } from "../core/price.ts";
import type { ConfigControl } from "../keys/config-control.ts";
import type { CredentialVault } from "../keys/credential-vault.ts";
import { keyHash } from "../keys/key-hash.ts";
import { unkeptLedger } from "../ledger/unkept-ledger.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import type { Secret } from "../lib/secret.ts";
import type { ShadowResults } from "../pipeline/shadow-tally.ts";
import type { AdminApi } from "../server/data-plane.ts";
import { argon2Passwords } from "../stores/credentials/argon2-passwords.ts";
import type { Stores } from "./open-stores.ts";

export interface AdminParts {
  readonly stores: Stores;
  readonly resolved: ResolvedConfig;
  readonly vault: CredentialVault;
  readonly runningConfig: AdminDeps["runningConfig"];
  /** This machine's own token, with the owner's rights. */
  readonly operatorToken: Secret | undefined;
  readonly firstRun: FirstRun;
  readonly config: ConfigControl | undefined;
  /** Adds what other processes of the same gateway know of a shadow. */
  readonly addShadows?: ((name: string, own: ShadowResults) => Promise<ShadowResults>) | undefined;
  /** Resolves when what was changed is in memory. */
  readonly changed: () => Promise<unknown>;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

const picoPerDollar = 1e12;
const perMillion = 1e6;

const dollars = (rate: Price["input"] | undefined): number | undefined => rate && rate.base / picoPerDollar;

function shownModels({ catalogue, priceOf }: GatewayViews): ShownModel[] {
  return [...catalogue().names].flatMap(([name, { targets, listed }]) => {
    const [target] = targets;
    if (!listed || target === undefined) return [];
    const price = priceOf(target);
    return [
      {
        name,
        target: target.id,
        provider: target.upstream.provider,
        maxInputTokens: target.contextWindow,
        maxOutputTokens: target.maxOutputTokens,
        inputCost: dollars(price?.input),
        outputCost: dollars(price?.output),
      },
    ];
  });
}

/** What each deployment costs now, in US dollars per million tokens; null where nobody knows. */
function shownPrices({ catalogue, priceOf }: GatewayViews): unknown {
  const perMillionTokens = (rate: Price["input"] | undefined): number | null =>
    rate === undefined ? null : rate.base / (picoPerDollar / perMillion);
  return catalogue().deployments.map((target) => {
    const price = priceOf(target);
    return {
      target: target.id,
      placement: target.upstream.placement,
      provider: target.upstream.provider,
      priced: price !== undefined,
      version: price?.version ?? null,
      input_usd_per_million: perMillionTokens(price?.input),
      output_usd_per_million: perMillionTokens(price?.output),
      cached_read_usd_per_million: perMillionTokens(price?.cachedRead),
      cache_write_usd_per_million: perMillionTokens(price?.cacheWrite),
    };
  });
}

/** Wires the admin API to a running gateway. */
export function adminApi(parts: AdminParts): (views: GatewayViews) => AdminApi {
  const { stores, resolved, clock, randomness } = parts;
  const addresses = new WeakMap<Request, string>();
  return (views) => {
    const deps: AdminDeps = {
      directory: stores.directory,
      changed: parts.changed,
      clock,
      randomness,
      randomBytes: (size) => randomBytes(size),
      hash: keyHash(stores.secret),
      passwords: argon2Passwords,
      operatorTokens: [parts.operatorToken, resolved.admin.token].filter((token) => token !== undefined),
      firstRun: parts.firstRun,
      settings: resolved.admin,
      addressOf: (request) => addresses.get(request) ?? "unknown",
      configured: views.configured,
      budgetStatus: views.budgetStatus,
      ledger: {
        database: stores.reports ?? unkeptLedger,
        prices: views.prices,
        reference: () => views.prices().reference,
      },
      upstreams: views.upstreams,
      setDrained: views.setDrained,
      prices: () => shownPrices(views),
      models: () => shownModels(views),
      strategies: () => [...views.catalogue().strategies.keys(), ...Object.keys(strategyAliases)],
      trials: {
        experiments: () => views.catalogue().experiments,
        shadows: () => views.catalogue().shadows,
        results(shadow) {
          const own = views.shadowResults(shadow);
          return parts.addShadows?.(shadow.name, own) ?? own;
        },
      },
      config: parts.config,
      vault: parts.vault,
      runningConfig: parts.runningConfig,
      alert: views.alert,
    };
    const answer = lazyAdmin(deps);
    return {
      owns: isAdminPath,
      fetch(request, address) {
        if (address !== undefined) addresses.set(request, address.slice(0, 64));
        return answer(request);
      },
    };
  };
}
