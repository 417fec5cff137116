import type { Budget, RateLimit } from "../core/budget.ts";
import type { GatewayError } from "../core/errors.ts";
import type { Experiment, Shadow } from "../core/gateway-model.ts";
import type { ConfigControl } from "../keys/config-control.ts";
import type { CredentialVault } from "../keys/credential-vault.ts";
import type { Directory } from "../keys/directory.ts";
import type { KeyHash } from "../keys/key-hash.ts";
import type { RandomBytes } from "../keys/key-text.ts";
import type { PasswordHash } from "../keys/password-hash.ts";
import type { BudgetStatus } from "../ledger/budget-status.ts";
import type { LedgerDatabase } from "../ledger/ledger-database.ts";
import type { PriceBook } from "../ledger/price-book.ts";
import type { Clock } from "../lib/clock.ts";
import type { Randomness } from "../lib/ids.ts";
import type { Secret } from "../lib/secret.ts";
import type { ShadowResults } from "../pipeline/shadow-tally.ts";
import type { OidcSettings } from "./oidc/oidc-settings.ts";

/** The parts of the running gateway that the admin API sees, as ports. */
export interface AdminDeps {
  readonly directory: Directory;
  /** Called after each change of what the gateway keeps in memory; resolves when this process obeys it. */
  readonly changed: () => Promise<unknown>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly randomBytes: RandomBytes;
  readonly hash: KeyHash;
  readonly passwords: PasswordHash;
  /** Tokens with the owner's rights: this machine's own, and `admin.token` of the config. */
  readonly operatorTokens: readonly Secret[];
  readonly firstRun: FirstRun;
  readonly settings: AdminSettings;
  /** The address a request came from; bounded text. */
  readonly addressOf: (request: Request) => string;
  readonly configured: () => { readonly budgets: readonly Budget[]; readonly limits: readonly RateLimit[] };
  readonly budgetStatus: BudgetStatus;
  readonly ledger: AdminLedger;
  /** Plain data, as it is shown. */
  readonly upstreams: () => unknown;
  /** Takes an upstream of one's own out of service, or back; false where there is none of this name. */
  readonly setDrained: (upstream: string, isDrained: boolean) => boolean;
  readonly prices: () => unknown;
  readonly models: () => readonly ShownModel[];
  /** Every name of a strategy in force. */
  readonly strategies: () => readonly string[];
  readonly trials: AdminTrials;
  readonly config: ConfigControl | undefined;
  readonly vault: CredentialVault;
  /** The config in force, as far as stored credentials go. */
  readonly runningConfig: {
    refersTo(credential: string): boolean;
    /** Reads stored credentials again and puts the config in force with them. */
    refresh(): Promise<void>;
  };
  /** Told of the gateway's own faults. */
  readonly alert: (error: GatewayError) => void;
}

/** What is tried out: splits over arms and copies. */
export interface AdminTrials {
  readonly experiments: () => readonly Experiment[];
  readonly shadows: () => readonly Shadow[];
  /** Since the process began. */
  readonly results: (shadow: Shadow) => ShadowResults | Promise<ShadowResults>;
}

/** The ledger, to read and to price again. */
export interface AdminLedger {
  readonly database: LedgerDatabase;
  readonly prices: () => PriceBook;
  /** Name of the cloud model that savings are measured against. */
  readonly reference: () => string | undefined;
}

/** A model clients can ask for, with what a token costs where that is known. */
export interface ShownModel {
  readonly name: string;
  readonly target: string;
  readonly provider: string;
  readonly maxInputTokens: number | undefined;
  readonly maxOutputTokens: number | undefined;
  /** US dollars for one token. */
  readonly inputCost: number | undefined;
  readonly outputCost: number | undefined;
}

/** The token that makes the first owner, once. */
export interface FirstRun {
  /** Undefined when there is an owner, or was one when the process started. */
  token(): Secret | undefined;
  burn(): Promise<void>;
}

export interface AdminSettings {
  readonly publicUrl: string | undefined;
  readonly sessionMs: number;
  readonly oidc: OidcSettings | undefined;
}
