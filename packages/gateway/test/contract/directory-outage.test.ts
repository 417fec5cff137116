import { afterAll, beforeAll, expect, test } from "bun:test";
import { GatewayError } from "../../src/core/errors.ts";
import type { Principal } from "../../src/core/principal.ts";
import type { Directory } from "../../src/keys/directory.ts";
import { DirectoryMirror } from "../../src/keys/directory-mirror.ts";
import { keyHash } from "../../src/keys/key-hash.ts";
import { KeyRing } from "../../src/keys/key-ring.ts";
import { systemRandomness } from "../../src/lib/ids.ts";
import { Secret } from "../../src/lib/secret.ts";
import { openSqlDatabase } from "../../src/stores/open-sql-database.ts";
import { migrate } from "../../src/stores/sql/migrate.ts";
import type { SqlDatabase } from "../../src/stores/sql/sql-database.ts";
import { SqlDirectory } from "../../src/stores/sql/sql-directory.ts";
import { FakeClock } from "../fixtures/fake-clock.ts";
import { hasPostgres, PostgresServer } from "../fixtures/postgres-server.ts";
import { describeWith } from "../fixtures/test-with.ts";

const hash = keyHash(new Secret("a secret of more than thirty-two characters"));
const actor = { name: "operator", address: "" };
const key = "fl-the key that clients have";

const makeKey = (directory: Directory) =>
  directory.change(actor, (changes) =>
    changes.insert("key", {
      name: "first",
      prefix: "fl-…",
      hash: hash(key),
      previous: undefined,
      team: undefined,
      user: undefined,
      models: [],
      strategies: undefined,
      aliases: {},
      strategy: undefined,
      tags: [],
      region: undefined,
      expiresAt: undefined,
      disabled: false,
    }),
  );

const codeOf = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return "done";
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
};

describeWith("postgres", hasPostgres, "the directory while PostgreSQL is down", () => {
  let server: PostgresServer;
  let database: SqlDatabase;
  beforeAll(async () => {
    server = await PostgresServer.start(true);
    database = await openSqlDatabase(server.createDatabase());
    await migrate(database);
  }, 30_000);
  afterAll(async () => {
    await database?.close();
    await server?.stop();
  });

  test("keys that are loaded go on, changes are refused as an outage, and a start without it knows that it knows nothing", async () => {
    const clock = new FakeClock();
    const directory = new SqlDirectory(database, { clock, randomness: systemRandomness() });
    await makeKey(directory);
    const start = () => {
      const ring = new KeyRing({ hash, clock, sharedKey: new Secret("the shared key") });
      const alerts: GatewayError[] = [];
      const mirror = new DirectoryMirror({
        directory,
        ring,
        clock,
        changed: () => {},
        alert: (error) => alerts.push(error),
      });
      return { ring, mirror, alerts };
    };
    const early = start();
    expect(await early.mirror.start()).toBe(true);
    expect(early.ring.find(key)).toMatchObject({ kind: "virtual-key" });

    await server.crash();
    expect(await early.mirror.refresh()).toBe(false);
    expect(await early.mirror.refresh()).toBe(false);
    expect(early.alerts.map(({ code }) => code)).toEqual(["store_unavailable"]);
    expect(early.ring.find(key)).toMatchObject({ kind: "virtual-key" });
    expect(await codeOf(() => directory.get("key", "any"))).toBe("store_unavailable");
    expect(await codeOf(() => directory.change(actor, (c) => c.note("a", "b")))).toBe("store_unavailable");

    const late = start();
    expect(await late.mirror.start()).toBe(false);
    expect(late.ring.open).toBe(false);
    expect(late.ring.find("the shared key")).toMatchObject({ kind: "shared-key" });
    expect(await codeOf(() => late.ring.find(key))).toBe("store_unavailable");

    await server.resume();
    expect(await late.mirror.refresh()).toBe(true);
    expect((late.ring.find(key) as Principal).kind).toBe("virtual-key");
    expect(await early.mirror.refresh()).toBe(true);
    early.mirror.stop();
    late.mirror.stop();
    expect(clock.waiting).toBe(0);
  }, 30_000);
});
