import { expect, test } from "bun:test";
import { migrate } from "../../src/stores/sql/migrate.ts";
import type { Migration } from "../../src/stores/sql/migration.ts";
import { migrations } from "../../src/stores/sql/migrations/migrations.ts";
import { onEveryDatabase } from "../fixtures/test-databases.ts";

const newest = migrations.length;
const messageOf = (promise: Promise<void>): Promise<string> => promise.then(String, (error: Error) => error.message);

test("versions count up from 1 without a gap", () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1));
});

onEveryDatabase("migrations", (databases) => {
  test("a database of the first version, filled, becomes one of the newest and keeps its rows", async () => {
    const database = await databases.open();
    await migrate(database, migrations.slice(0, 1));
    await database.query("INSERT INTO usage_series (id, key_id, team) VALUES (7, 'key', 'team')");
    await migrate(database);
    await migrate(database);
    expect(await database.query("SELECT key_id, team FROM usage_series")).toEqual([{ key_id: "key", team: "team" }]);
    expect(await database.query("SELECT MAX(version) AS newest FROM schema_migrations")).toEqual([{ newest }]);
  });

  test("several that start at once take each step once", async () => {
    const url = databases.url();
    const opened = await Promise.all([1, 2, 3, 4].map(() => databases.open(url)));
    await Promise.all(opened.map((database) => migrate(database)));
    expect(await opened[0]?.query("SELECT COUNT(*) AS steps FROM schema_migrations")).toEqual([{ steps: newest }]);
  });

  test("a step that fails leaves the database at the step before", async () => {
    const database = await databases.open();
    const broken: Migration = {
      version: newest + 1,
      name: "broken",
      statements: () => ["CREATE TABLE half (id BIGINT)", "INSERT INTO nowhere VALUES (1)"],
    };
    expect(await messageOf(migrate(database, [...migrations, broken]))).toContain("nowhere");
    await migrate(database);
    expect(await messageOf(database.query("SELECT * FROM half").then(() => {}))).toContain("half");
  });

  test("a database that a newer version made is refused, in words that say what to do", async () => {
    const database = await databases.open();
    const later: Migration = {
      version: newest + 1,
      name: "later",
      statements: () => ["CREATE TABLE later (id BIGINT)"],
    };
    await migrate(database, [...migrations, later]);
    expect(await messageOf(migrate(database))).toContain(`knows versions up to ${newest}`);
  });

  test("a step that was changed after it was taken is noticed", async () => {
    const database = await databases.open();
    await migrate(database);
    await database.query("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1");
    expect(await messageOf(migrate(database))).toContain("Version 1");
  });
});
