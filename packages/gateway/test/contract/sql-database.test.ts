import { expect, test } from "bun:test";
import type { SqlError } from "../../src/stores/sql/sql-error.ts";
import { onEveryDatabase } from "../fixtures/test-databases.ts";

const numbers = "CREATE TABLE numbers (id BIGINT PRIMARY KEY, name TEXT, share DOUBLE PRECISION)";

onEveryDatabase("a SQL database", (databases) => {
  test("placeholders are bound by their number, in any order and more than once", async () => {
    const database = await databases.open();
    const [row] = await database.query(
      "SELECT CAST($2 AS TEXT) AS second, CAST($1 AS TEXT) AS first, CAST($2 AS TEXT) AS again",
      ["a", "b"],
    );
    expect(row).toEqual({ second: "b", first: "a", again: "b" });
  });

  test("whole numbers stay exact: numbers where they can, bigints beyond, sums included", async () => {
    const database = await databases.open();
    await database.query(numbers);
    await database.query("INSERT INTO numbers VALUES ($1, $2, $3), ($4, NULL, NULL)", [
      9_007_199_254_740_993n,
      "largest",
      0.1,
      5,
    ]);
    expect(await database.query("SELECT * FROM numbers ORDER BY id")).toEqual([
      { id: 5, name: null, share: null },
      { id: 9_007_199_254_740_993n, name: "largest", share: 0.1 },
    ]);
    expect(await database.query("SELECT SUM(id) AS total, COUNT(*) AS rows FROM numbers")).toEqual([
      { total: 9_007_199_254_740_998n, rows: 2 },
    ]);
  });

  test("a transaction whose work rejects leaves nothing behind, and its reason arrives unchanged", async () => {
    const database = await databases.open();
    await database.query(numbers);
    const reason = Object.assign(new Error("no"), { code: "timeout connection" });
    const failed = database.transaction(async (session) => {
      await session.query("INSERT INTO numbers (id) VALUES (1)");
      throw reason;
    });
    expect(await failed.catch((error: unknown) => error)).toBe(reason);
    expect(await database.query("SELECT * FROM numbers")).toEqual([]);
  });

  test("statements from outside never land inside a transaction", async () => {
    const database = await databases.open();
    await database.query(numbers);
    const inside = database.transaction(async (session) => {
      await session.query("INSERT INTO numbers (id) VALUES (1)");
      await session.query("SELECT 1");
      throw new Error("rolled back");
    });
    const outside = database.query("INSERT INTO numbers (id) VALUES (2)");
    await Promise.allSettled([inside, outside]);
    expect(await database.query("SELECT id FROM numbers")).toEqual([{ id: 2 }]);
  });

  test("a reader sees what was committed, and many transactions at once all arrive", async () => {
    const database = await databases.open();
    await database.query(numbers);
    await Promise.all(
      Array.from({ length: 40 }, (_, id) =>
        database.transaction((session) => session.query("INSERT INTO numbers (id) VALUES ($1)", [id])),
      ),
    );
    expect(await database.read("SELECT COUNT(*) AS rows FROM numbers")).toEqual([{ rows: 40 }]);
  });

  test("what a constraint refuses is told apart from a faulty statement", async () => {
    const database = await databases.open();
    await database.query(numbers);
    await database.query("INSERT INTO numbers (id) VALUES (1)");
    const failureOf = (sql: string): Promise<unknown> => database.query(sql).catch((error: SqlError) => error.failure);
    expect(await failureOf("INSERT INTO numbers (id) VALUES (1)")).toBe("refused");
    expect(await failureOf("SELECT * FROM nowhere")).toBe("failed");
    expect(await database.query("SELECT id FROM numbers")).toEqual([{ id: 1 }]);
  });

  test("a closed database answers with an error, not with silence", async () => {
    const database = await databases.open();
    await database.query("SELECT 1");
    await database.close();
    expect(await database.query("SELECT 1").catch((error: unknown) => error)).toBeInstanceOf(Error);
  });
});
