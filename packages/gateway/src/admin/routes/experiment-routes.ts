import {
  type ArmAnswer,
  type ArmVerdict,
  type ExperimentAnswer,
  experimentsAnswer,
  experimentsQuery,
  type ShadowAnswer,
} from "@fairlead/contract/admin-api/experiment-api";
import type { Arm, Experiment, Shadow } from "../../core/gateway-model.ts";
import { toDollars } from "../../core/money.ts";
import { armTag, shadowTag } from "../../core/routing-tag.ts";
import { noUsage } from "../../core/usage.ts";
import type { LedgerDatabase } from "../../ledger/ledger-database.ts";
import type { UsageRow } from "../../ledger/ledger-query.ts";
import type { ShadowResults } from "../../pipeline/shadow-tally.ts";
import type { AdminDeps } from "../admin-deps.ts";
import { type AdminRoute, adminRoute } from "../admin-route.ts";
import {
  type BatchMean,
  batchMean,
  type Interval,
  meanDifference,
  meanInterval,
  shareDifference,
  shareInterval,
} from "../arm-intervals.ts";
import { dollarsOrNull, tokensOf } from "../exchange-wire.ts";
import { isoTime } from "../wire-time.ts";
import { readRange } from "./usage-routes.ts";

interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the ledger tells of one arm. */
interface ArmSums {
  readonly whole: UsageRow;
  /** In dollars. */
  readonly cost: BatchMean;
  readonly ms: BatchMean;
}

const nothing: UsageRow = {
  group: {},
  requests: 0,
  errors: 0,
  attempts: 0,
  usage: noUsage,
  estimated: 0,
  cost: undefined,
  unpriced: 0,
  compared: 0,
  referenceCost: 0,
  saved: 0,
  averageMs: undefined,
  averageFirstContentMs: undefined,
};

async function tagged(database: LedgerDatabase, range: Range, tag: string): Promise<UsageRow> {
  const [row = nothing] = await database.usage({ ...range, groupBy: [], filters: { tag } });
  return row;
}

/** Up to this long a range is looked at by the hour, beyond by the day. */
const longestByHourMs = 62 * 86_400_000;

async function armSums(database: LedgerDatabase, range: Range, tag: string): Promise<ArmSums> {
  const whole = await tagged(database, range, tag);
  const bucket = range.toMs - range.fromMs <= longestByHourMs ? "hour" : "day";
  const rows = whole.requests === 0 ? [] : await database.usage({ ...range, groupBy: [bucket], filters: { tag } });
  const priced = rows.filter(({ cost }) => cost !== undefined);
  return {
    whole,
    cost: batchMean(
      priced.map(({ cost = 0, requests, unpriced }) => ({ sum: toDollars(cost), count: requests - unpriced })),
    ),
    ms: batchMean(rows.map(({ averageMs = 0, requests }) => ({ sum: averageMs * requests, count: requests }))),
  };
}

function verdict(difference: Interval | undefined): ArmVerdict {
  if (difference === undefined) return "unknown";
  if (difference.low > 0) return "higher";
  return difference.high < 0 ? "lower" : "no_difference_shown";
}

const failures = ({ errors, requests }: UsageRow) => ({ hits: errors, of: requests });

function armWire({ name, targets, strategy }: Arm, share: number, sums: ArmSums, first: ArmSums): ArmAnswer {
  const { whole, cost, ms } = sums;
  const { requests, errors } = whole;
  return {
    arm: name,
    share,
    targets: targets?.map(({ id }) => id) ?? null,
    strategy: strategy ?? null,
    requests,
    errors,
    error_share: requests === 0 ? null : errors / requests,
    error_share_interval: shareInterval(errors, requests) ?? null,
    tokens: tokensOf(whole.usage),
    cost_usd: dollarsOrNull(whole.cost),
    unpriced: whole.unpriced,
    mean_cost_usd: cost.mean ?? null,
    mean_cost_interval: meanInterval(cost) ?? null,
    mean_ms: whole.averageMs ?? null,
    mean_ms_interval: meanInterval(ms) ?? null,
    mean_first_content_ms: whole.averageFirstContentMs ?? null,
    saved_usd: toDollars(whole.saved),
    against_first:
      sums === first
        ? null
        : {
            errors: verdict(shareDifference(failures(whole), failures(first.whole))),
            cost: verdict(meanDifference(cost, first.cost)),
            latency: verdict(meanDifference(ms, first.ms)),
          },
  };
}

async function experimentWire(
  { name, models, sticky, arms }: Experiment,
  database: LedgerDatabase,
  range: Range,
): Promise<ExperimentAnswer> {
  const weights = arms.reduce((sum, { weight }) => sum + weight, 0);
  const results: ArmAnswer[] = [];
  let first: ArmSums | undefined;
  for (const arm of arms) {
    const sums = await armSums(database, range, armTag({ name, arm: arm.name }));
    first ??= sums;
    results.push(armWire(arm, arm.weight / weights, sums, first));
  }
  return { name, models: [...models], sticky, arms: results };
}

function shadowWire({ name, target, sample }: Shadow, sums: UsageRow, results: ShadowResults): ShadowAnswer {
  return {
    name,
    target: target.id,
    sample,
    copies: sums.requests,
    errors: sums.errors,
    cost_usd: dollarsOrNull(sums.cost),
    mean_ms: sums.averageMs ?? null,
    since_start: {
      drawn: results.drawn,
      running: results.running,
      answered: results.answered,
      failed: results.failed,
      compared: results.compared,
      skipped: results.skipped,
      same_finish: results.sameFinish,
      similarity: results.similarity,
      same_text: results.sameText,
      same_calls: results.sameCalls,
      both_json: results.bothJson,
      length_ratio: results.lengthRatio,
      duration_difference_ms: results.durationDifferenceMs,
      first_content_difference_ms: results.firstContentDifferenceMs,
      cost_difference_usd: results.costDifferenceUsd,
    },
  };
}

/** What experiments and shadows show, from the ledger and from comparing answers (requirement B13). */
export function experimentRoutes({ ledger, trials, clock }: AdminDeps): readonly AdminRoute[] {
  return [
    adminRoute({
      method: "get",
      path: "/admin/v1/experiments",
      permission: "experiments.read",
      summary: "Results of each experiment's arms, and of shadow copies",
      query: experimentsQuery,
      answer: experimentsAnswer,
      async handle({ query }) {
        const range = readRange(query, clock.now());
        const { database } = ledger;
        const experiments: ExperimentAnswer[] = [];
        for (const experiment of trials.experiments()) {
          experiments.push(await experimentWire(experiment, database, range));
        }
        const shadows: ShadowAnswer[] = [];
        for (const shadow of trials.shadows()) {
          const sums = await tagged(database, range, shadowTag(shadow.name));
          shadows.push(shadowWire(shadow, sums, await trials.results(shadow)));
        }
        return { from: isoTime(range.fromMs), to: isoTime(range.toMs), experiments, shadows };
      },
    }),
  ];
}
