import type { SqlDialect } from "../../packages/gateway/src/stores/sql/sql-database.ts";
import { dayMs, hourMs, sumColumns } from "../../packages/gateway/src/stores/sql/usage-sums.ts";

/** Eight targets of six models: the first two self-hosted and free at the margin, the rest in the cloud; weights out of 100. */
const targets = [
  ["box-1", "own", "small-8b", "local", 38, 20],
  ["box-2", "own", "coder-32b", "local", 22, 60],
  ["cloud-a", "a", "a-large", "cloud", 12, 5_000],
  ["cloud-a", "a", "a-mini", "cloud", 10, 600],
  ["cloud-b", "b", "b-large", "cloud", 8, 9_000],
  ["cloud-b", "b", "b-small", "cloud", 5, 1_000],
  ["cloud-c", "c", "a-large", "cloud", 3, 5_200],
  ["cloud-c", "c", "c-flash", "cloud", 2, 300],
] as const;

const keys = 200;
const lists = {
  upstream: targets.map((target) => `'${target[0]}'`),
  provider: targets.map((target) => `'${target[1]}'`),
  model: targets.map((target) => `'${target[2]}'`),
  target: targets.map((target) => `'${target[0]}/${target[2]}'`),
  placement: targets.map((target) => `'${target[3]}'`),
  rate: targets.map((target) => String(target[5])),
};

function choose(values: readonly string[], column: string): string {
  return `CASE ${column} ${values.map((value, i) => `WHEN ${i} THEN ${value}`).join(" ")} END`;
}

function chooseTarget(column: string): string {
  let below = 0;
  const cases = targets.map((target, i) => {
    below += target[4];
    return `WHEN ${column} < ${below} THEN ${i}`;
  });
  return `CASE ${cases.join(" ")} END`;
}

/** Statements that make the combinations all rows belong to. */
export function seriesStatements(): string[] {
  const numbers = "WITH RECURSIVE n (k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < 1600)";
  const place = ["target", "upstream", "provider", "model", "placement"] as const;
  const columns = place.map((name) => choose(lists[name], "k % 8")).join(", ");
  const key = "k / 8";
  return [
    `INSERT INTO usage_series (id, key_id, team, user_name, target, upstream, provider, model, placement)
     ${numbers} SELECT k, 'key-' || (${key}), 'team-' || (${key} % 20), 'user-' || (${key} % 60), ${columns} FROM n`,
    `INSERT INTO usage_series_tags (tag, series) ${numbers} SELECT 'project-' || (${key} % 12), k FROM n WHERE ${key} % 3 = 0`,
  ];
}

const tokenNames = sumColumns.slice(3, 11);

/** Statements that make the rows of one day, numbered from `first`, with everything that belongs to them. */
export function dayStatements(dialect: SqlDialect, dayStart: number, first: number, count: number): string[] {
  const id = dialect === "sqlite" ? "lower(hex(randomblob(12)))" : "substr(md5(n::text), 1, 24)";
  const text = (expression: string): string => `CAST(${expression} AS TEXT)`;
  const step = Math.floor(dayMs / count);
  // Remainders of products with primes: spread well enough, and the same every time.
  const numbers = `WITH RECURSIVE
    c (n) AS (SELECT CAST(${first} AS BIGINT) UNION ALL SELECT n + 1 FROM c WHERE n + 1 < ${first + count}),
    r AS (SELECT n, (n * 7919 + 17) % 1000003 AS a, (n * 104729 + 3) % 999983 AS b, (n * 15485863 + 7) % 1000033 AS c FROM c),
    k AS (SELECT n, a, b, c, ((a * a / 1000003) * a / 1000003) * ${keys} / 1000003 AS key, ${chooseTarget("(b % 100)")} AS t FROM r),
    x AS (SELECT n, a, b, c, key, t, 200 + (b * b / 999983) % 9000 AS input, 20 + c % 700 AS output, ${choose(lists.rate, "t")} AS rate FROM k)`;
  const place = ["target", "upstream", "provider", "model", "placement"] as const;
  const places = place.map((name) => choose(lists[name], "t")).join(", ");
  const exchanges = `INSERT INTO exchanges (at, id, dialect, key_id, team, user_name, tags, asked, stream, strategy, reason, decision,
      target, upstream, provider, model, placement, served, status, outcome, error_code, error_message, tries,
      ${tokenNames.join(", ")}, estimated, cost_nano, unpriced, reference_cost_nano, reference_version, duration_us, first_content_us, overhead_us, orphaned)
    ${numbers}
    SELECT ${dayStart} + (n - ${first}) * ${step}, ${id}, 'openai-chat', ${text("'key-' || key")}, 'team-' || (key % 20), 'user-' || (key % 60),
      CASE WHEN key % 3 = 0 THEN '["project-' || (key % 12) || '"]' ELSE '[]' END, 'auto', n % 2, 'auto', 'local_adequate',
      '{"exclusions":[],"nearNames":[],"dropped":[],"promptTokensEstimate":' || input || '}',
      ${places}, 1, CASE WHEN c % 100 < 3 THEN 502 ELSE 200 END,
      CASE WHEN c % 100 < 3 THEN 'error' WHEN c % 100 = 3 THEN 'client_gone' ELSE 'ok' END,
      CASE WHEN c % 100 < 3 THEN 'upstream_error' END, NULL, CASE WHEN n % 33 = 0 THEN 2 ELSE 1 END,
      input, input / 3, 0, 0, 0, output, output / 5, 0, CASE WHEN c % 100 = 3 THEN 1 ELSE 0 END,
      (input + output) * rate, 0, (input + output) * 5000, 'book', 300000 + a, 90000 + a / 4, 400 + b % 300, 0 FROM x`;
  const range = `at >= ${dayStart} AND at < ${dayStart + dayMs}`;
  const tokens = tokenNames.join(", ");
  const attempt = (number: string, error: string, amounts: string, cost: string, condition: string): string =>
    `INSERT INTO attempts (at, exchange_id, number, target, upstream, provider, model, placement, error_code, upstream_status,
       ${tokens}, estimated, raw_usage, price_version, cost_nano, duration_us, first_content_us)
     SELECT at, id, ${number}, target, upstream, provider, model, placement, ${error}, NULL,
       ${amounts}, estimated, '{"prompt_tokens":' || input_tokens || ',"completion_tokens":' || output_tokens || '}', 'book', ${cost}, duration_us, first_content_us
     FROM exchanges WHERE ${range} AND ${condition}`;
  const series =
    "CAST(SUBSTR(key_id, 5) AS BIGINT) * 8 + " +
    `CASE target ${lists.target.map((target, i) => `WHEN ${target} THEN ${i}`).join(" ")} END`;
  const zero = tokenNames.map(() => "0").join(", ");
  const sums = (span: number): string => `INSERT INTO usage_sums (span, start_at, series, ${sumColumns.join(", ")})
    SELECT ${span}, at - (at % ${span}), ${series}, COUNT(*), SUM(CASE WHEN outcome = 'error' THEN 1 ELSE 0 END), SUM(tries),
      ${tokenNames.map((name) => `SUM(${name})`).join(", ")}, SUM(estimated), SUM(cost_nano), SUM(tries), 0,
      SUM(reference_cost_nano), COUNT(*), SUM(reference_cost_nano - cost_nano), SUM(duration_us), SUM(first_content_us), COUNT(first_content_us)
    FROM exchanges WHERE ${range} GROUP BY 2, 3`;
  return [
    exchanges,
    attempt("tries - 1", "error_code", tokens, "cost_nano", "1 = 1"),
    attempt("0", "'overloaded'", zero, "0", "tries = 2"),
    `INSERT INTO exchange_tags (at, tag, exchange_id) SELECT at, SUBSTR(tags, 3, LENGTH(tags) - 4), id FROM exchanges WHERE ${range} AND tags <> '[]'`,
    sums(hourMs),
    sums(dayMs),
  ];
}
