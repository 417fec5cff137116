import type { Migration } from "../migration.ts";
import type { SqlDialect } from "../sql-database.ts";

const tokens = `
  input_tokens BIGINT NOT NULL,
  cached_read_tokens BIGINT NOT NULL,
  cache_write_tokens BIGINT NOT NULL,
  long_cache_write_tokens BIGINT NOT NULL,
  audio_input_tokens BIGINT NOT NULL,
  output_tokens BIGINT NOT NULL,
  reasoning_tokens BIGINT NOT NULL,
  audio_output_tokens BIGINT NOT NULL`;

const exchanges = `CREATE TABLE exchanges (
  at BIGINT NOT NULL,
  id TEXT NOT NULL,
  dialect TEXT NOT NULL,
  key_id TEXT,
  team TEXT,
  user_name TEXT,
  tags TEXT NOT NULL,
  asked TEXT NOT NULL,
  stream INTEGER NOT NULL,
  strategy TEXT,
  reason TEXT,
  decision TEXT NOT NULL,
  target TEXT,
  upstream TEXT,
  provider TEXT,
  model TEXT,
  placement TEXT,
  served INTEGER NOT NULL,
  status INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  error_code TEXT,
  error_message TEXT,
  tries INTEGER NOT NULL,${tokens},
  estimated INTEGER NOT NULL,
  cost_nano BIGINT,
  unpriced INTEGER NOT NULL,
  reference_cost_nano BIGINT,
  reference_version TEXT,
  duration_us BIGINT NOT NULL,
  first_content_us BIGINT,
  overhead_us BIGINT NOT NULL,
  orphaned INTEGER NOT NULL,
  PRIMARY KEY (at, id)
)`;

const attempts = `CREATE TABLE attempts (
  at BIGINT NOT NULL,
  exchange_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  target TEXT NOT NULL,
  upstream TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  placement TEXT NOT NULL,
  error_code TEXT,
  upstream_status INTEGER,${tokens},
  estimated INTEGER NOT NULL,
  raw_usage TEXT,
  price_version TEXT,
  cost_nano BIGINT,
  duration_us BIGINT NOT NULL,
  first_content_us BIGINT,
  PRIMARY KEY (at, exchange_id, number)
)`;

const exchangeTags = `CREATE TABLE exchange_tags (
  at BIGINT NOT NULL,
  tag TEXT NOT NULL,
  exchange_id TEXT NOT NULL,
  PRIMARY KEY (at, tag, exchange_id)
)`;

/** What rows are grouped by: each combination once, its id made of its values. */
const series = `CREATE TABLE usage_series (
  id BIGINT PRIMARY KEY,
  key_id TEXT,
  team TEXT,
  user_name TEXT,
  target TEXT,
  upstream TEXT,
  provider TEXT,
  model TEXT,
  placement TEXT
)`;

const seriesTags = `CREATE TABLE usage_series_tags (
  tag TEXT NOT NULL,
  series BIGINT NOT NULL,
  PRIMARY KEY (tag, series)
)`;

/** Sums of the rows above per series and hour, and per series and UTC day: `span` is the length in milliseconds. */
const sums = `CREATE TABLE usage_sums (
  span BIGINT NOT NULL,
  start_at BIGINT NOT NULL,
  series BIGINT NOT NULL,
  requests BIGINT NOT NULL,
  errors BIGINT NOT NULL,
  attempts BIGINT NOT NULL,${tokens},
  estimated BIGINT NOT NULL,
  cost_nano BIGINT NOT NULL,
  priced BIGINT NOT NULL,
  unpriced BIGINT NOT NULL,
  reference_cost_nano BIGINT NOT NULL,
  compared BIGINT NOT NULL,
  saved_nano BIGINT NOT NULL,
  duration_us BIGINT NOT NULL,
  first_content_us BIGINT NOT NULL,
  first_contents BIGINT NOT NULL,
  PRIMARY KEY (span, start_at, series)
)`;

const indexes = [
  "CREATE INDEX exchanges_id ON exchanges (id)",
  "CREATE INDEX exchanges_key ON exchanges (key_id, at)",
  "CREATE INDEX exchanges_failed ON exchanges (at) WHERE outcome <> 'ok'",
  "CREATE INDEX usage_series_tags_series ON usage_series_tags (series)",
];

/** One row per exchange and per attempt, partitioned by day where the database can, and the sums that reports read. */
export const ledger: Migration = {
  version: 1,
  name: "ledger",
  statements(dialect: SqlDialect) {
    const byDay = dialect === "postgres" ? " PARTITION BY RANGE (at)" : "";
    const clustered = dialect === "sqlite" ? " WITHOUT ROWID" : "";
    return [
      exchanges + byDay,
      attempts + byDay + clustered,
      exchangeTags + byDay + clustered,
      series,
      seriesTags + clustered,
      sums + clustered,
      ...indexes,
    ];
  },
};
