import { describe, expect, test } from "bun:test";
import type { GatewayError } from "../../src/core/errors.ts";
import type { Actor, Directory, Draft } from "../../src/keys/directory.ts";
import { type Randomness, systemRandomness } from "../../src/lib/ids.ts";
import { MemoryDirectory } from "../../src/stores/memory/memory-directory.ts";
import { migrate } from "../../src/stores/sql/migrate.ts";
import { SqlDirectory } from "../../src/stores/sql/sql-directory.ts";
import { FakeClock } from "../fixtures/fake-clock.ts";
import { onEveryDatabase } from "../fixtures/test-databases.ts";

interface Opened {
  readonly directory: Directory;
  readonly clock: FakeClock;
  /** A second one over the same content, as another replica has it. */
  readonly other: Directory;
}

const somebody: Actor = { name: "user:1", address: "192.0.2.1" };

const keyDraft = (name: string, more: Partial<Draft<"key">> = {}): Draft<"key"> => ({
  name,
  prefix: "fl-abc…",
  hash: `hash of ${name}`,
  previous: undefined,
  team: undefined,
  user: undefined,
  models: ["a", "b"],
  strategies: ["local_first"],
  aliases: { fast: "small" },
  strategy: undefined,
  tags: ["x"],
  region: undefined,
  expiresAt: 12_345,
  disabled: false,
  ...more,
});

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "done",
    (error: GatewayError) => error.code,
  );

function directorySuite(open: () => Promise<Opened>): void {
  const insertKey = (directory: Directory, name: string, more?: Partial<Draft<"key">>) =>
    directory.change(somebody, (changes) => changes.insert("key", keyDraft(name, more)));

  test("what was stored is found by id and by each unique value, whole", async () => {
    const { directory, clock } = await open();
    const key = await insertKey(directory, "first");
    expect(key).toMatchObject({ ...keyDraft("first"), version: 1, createdAt: clock.now() });
    expect(await directory.get("key", key.id)).toEqual(key);
    expect(await directory.find("key", "hash", "hash of first")).toEqual(key);
    expect(await directory.find("key", "name", "first")).toEqual(key);
    expect(await directory.find("key", "name", "second")).toBeUndefined();
  });

  test("a change raises the version; one based on an older version is refused and loses nothing", async () => {
    const { directory } = await open();
    const key = await insertKey(directory, "first");
    const changed = await directory.change(somebody, (changes) => changes.update("key", { ...key, tags: ["y"] }));
    expect(changed.version).toBe(2);
    const late = directory.change(somebody, (changes) => changes.update("key", { ...key, disabled: true }));
    expect(await codeOf(late)).toBe("conflict");
    expect(await directory.get("key", key.id)).toEqual(changed);
  });

  test("of changes at once from the same version, over replicas, exactly one wins", async () => {
    const { directory, other } = await open();
    const key = await insertKey(directory, "first");
    const tries = Array.from({ length: 6 }, (_, at) =>
      codeOf(
        (at % 2 === 0 ? directory : other).change(somebody, (changes) =>
          changes.update("key", { ...key, tags: [`${at}`] }),
        ),
      ),
    );
    const ends = await Promise.all(tries);
    expect(ends.filter((end) => end === "done")).toHaveLength(1);
    expect(ends.filter((end) => end === "conflict")).toHaveLength(5);
  });

  test("what was read inside a change still holds at its end, over replicas", async () => {
    const { directory, other } = await open();
    const addUnlessAny = (one: Directory, name: string) =>
      one.change(somebody, async (changes) => {
        const { items } = await changes.list("key", { limit: 1 });
        if (items.length === 0) await changes.insert("key", keyDraft(name));
      });
    await Promise.all(
      Array.from({ length: 6 }, (_, at) => addUnlessAny(at % 2 === 0 ? directory : other, `key ${at}`)),
    );
    expect((await directory.list("key", { limit: 10 })).items).toHaveLength(1);
  });

  test("a name or hash that is taken is refused, also when a thing is renamed", async () => {
    const { directory } = await open();
    await insertKey(directory, "first");
    const second = await insertKey(directory, "second");
    expect(await codeOf(insertKey(directory, "first", { hash: "other" }))).toBe("conflict");
    expect(await codeOf(insertKey(directory, "third", { hash: "hash of first" }))).toBe("conflict");
    const rename = directory.change(somebody, (changes) => changes.update("key", { ...second, name: "first" }));
    expect(await codeOf(rename)).toBe("conflict");
    expect((await directory.list("key", { limit: 10 })).items).toHaveLength(2);
  });

  test("a change that fails leaves nothing behind, neither things nor audit entries nor a new version", async () => {
    const { directory } = await open();
    const before = await directory.version();
    const failed = directory.change(somebody, async (changes) => {
      await changes.insert("key", keyDraft("first"));
      await changes.note("something.else", "nothing");
      throw new Error("no");
    });
    expect(await failed.catch((error: Error) => error.message)).toBe("no");
    expect((await directory.list("key", { limit: 10 })).items).toEqual([]);
    expect((await directory.list("audit", { limit: 10 })).items).toEqual([]);
    expect(await directory.version()).toBe(before);
  });

  test("every change stands in the audit log with who, when, what, before and after, and without hashes", async () => {
    const { directory, clock } = await open();
    const key = await insertKey(directory, "first");
    await clock.advance(1_000);
    await directory.change(somebody, (changes) => changes.update("key", { ...key, tags: ["y"] }, "key.retagged"));
    await clock.advance(1_000);
    await directory.change(somebody, (changes) => changes.remove("key", key.id));
    const { items } = await directory.list("audit", { limit: 10, where: { subject: `key:${key.id}` } });
    expect(items.map(({ action, createdAt }) => [action, createdAt])).toEqual([
      ["key.deleted", clock.now()],
      ["key.retagged", clock.now() - 1_000],
      ["key.created", clock.now() - 2_000],
    ]);
    expect(items[1]).toMatchObject({ actor: "user:1", address: "192.0.2.1", before: { tags: ["x"] } });
    expect(items[1]?.after).toMatchObject({ name: "first", tags: ["y"], version: 2 });
    expect(JSON.stringify(items)).not.toContain("hash of");
  });

  test("lists come newest first, page by page, each thing once, whatever is added meanwhile", async () => {
    const { directory, clock } = await open();
    for (let at = 0; at < 7; at++) {
      await insertKey(directory, `key ${at}`, { team: at % 2 === 0 ? "even" : "odd" });
      if (at % 3 === 0) await clock.advance(1_000);
    }
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await directory.list("key", { limit: 2, after });
      seen.push(...page.items.map(({ name }) => name));
      after = page.next;
      await clock.advance(1_000);
      if (seen.length === 2) await insertKey(directory, "late");
    } while (after !== undefined);
    expect(seen.toSorted()).toEqual(Array.from({ length: 7 }, (_, at) => `key ${at}`));
    const even = await directory.list("key", { limit: 10, where: { team: "even" } });
    expect(even.items.map(({ name }) => name).toSorted()).toEqual(["key 0", "key 2", "key 4", "key 6"]);
    expect(even.next).toBeUndefined();
  });

  test("the version grows with what replicas keep in memory, and with nothing else", async () => {
    const { directory, other } = await open();
    const start = await directory.version();
    const key = await insertKey(directory, "first");
    const grown = await other.version();
    expect(grown).toBeGreaterThan(start);
    await directory.change(somebody, (changes) => changes.note("looked.around", "nothing"));
    await directory.change(somebody, (changes) => changes.insert("credential", { id: "c", sealed: "s" }));
    expect(await other.version()).toBe(grown);
    await other.change(somebody, (changes) => changes.remove("key", key.id));
    expect(await directory.version()).toBeGreaterThan(grown);
  });

  test("old sessions are pruned, younger ones stay; using one leaves no audit entry", async () => {
    const { directory, clock } = await open();
    const draft = { user: "u", csrf: "c", lastSeenAt: 0, address: "" };
    const insert = (hash: string) => directory.change(somebody, (c) => c.insert("session", { ...draft, hash }));
    await insert("old");
    await clock.advance(10_000);
    const young = await insert("young");
    await directory.pruneSessions(clock.now() - 5_000);
    expect(await directory.find("session", "hash", "old")).toBeUndefined();
    const touched = await directory.change(somebody, (c) => c.update("session", { ...young, lastSeenAt: 7 }));
    expect(await directory.find("session", "hash", "young")).toEqual(touched);
    const { items } = await directory.list("audit", { limit: 10 });
    expect(items.map(({ action }) => action)).toEqual(["session.created", "session.created"]);
  });

  test("old entries of the audit log are pruned, younger ones stay", async () => {
    const { directory, clock } = await open();
    await directory.change(somebody, (changes) => changes.note("looked.around", "old"));
    await clock.advance(10_000);
    await directory.change(somebody, (changes) => changes.note("looked.around", "young"));
    await directory.pruneAudit(clock.now() - 5_000);
    const { items } = await directory.list("audit", { limit: 10 });
    expect(items.map(({ subject }) => subject)).toEqual(["young"]);
  });

  test("what does not exist is said so, and a wrong cursor starts at the beginning", async () => {
    const { directory } = await open();
    expect(await codeOf(directory.change(somebody, (changes) => changes.remove("key", "none")))).toBe("not_found");
    await insertKey(directory, "first");
    expect((await directory.list("key", { limit: 10, after: "nonsense" })).items).toHaveLength(1);
  });
}

const source = (): { clock: FakeClock; randomness: Randomness } => ({
  clock: new FakeClock(),
  randomness: systemRandomness(),
});

describe("a directory in memory", () => {
  directorySuite(async () => {
    const { clock, randomness } = source();
    const directory = new MemoryDirectory({ clock, randomness });
    return { directory, clock, other: directory };
  });
});

onEveryDatabase("a directory", (databases) => {
  directorySuite(async () => {
    const url = databases.url();
    const database = await databases.open(url);
    await migrate(database);
    const { clock, randomness } = source();
    const directory = new SqlDirectory(database, { clock, randomness });
    return { directory, clock, other: new SqlDirectory(await databases.open(url), { clock, randomness }) };
  });
});
