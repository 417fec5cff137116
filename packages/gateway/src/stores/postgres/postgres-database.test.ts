import { expect, test } from "bun:test";
import { inspect } from "node:util";
import { openSqlDatabase } from "../open-sql-database.ts";
import type { SqlError } from "../sql/sql-error.ts";

const canary = "canary-5f1c";

async function failureOf(url: string): Promise<SqlError> {
  const asked = openSqlDatabase(url).then(async (database) => {
    try {
      return await database.query("SELECT 1");
    } finally {
      await database.close();
    }
  });
  return asked.then(
    () => {
      throw new Error("it answered");
    },
    (error: SqlError) => error,
  );
}

test("a server that is not there is told as something that may pass", async () => {
  const error = await failureOf(`postgres://user:${canary}@127.0.0.1:1/ledger`);
  expect(error).toMatchObject({ name: "SqlError", failure: "unavailable", code: "ECONNREFUSED" });
});

test("no error shows the URL's password, whatever is wrong with the URL", async () => {
  const urls = [
    `postgres://user:${canary}@127.0.0.1:1/ledger`,
    `postgres://user:${canary}@[half/ledger`,
    `postgres://user:${canary}@127.0.0.1:99999999/ledger`,
    `mysql://user:${canary}@127.0.0.1/ledger`,
  ];
  for (const url of urls) {
    const error = await failureOf(url);
    expect(error.name).toBe("SqlError");
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
  }
});
