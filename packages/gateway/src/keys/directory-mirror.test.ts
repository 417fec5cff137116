import { expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import type { Budget } from "../core/budget.ts";
import { fromDollars } from "../core/money.ts";
import { systemRandomness } from "../lib/ids.ts";
import { Secret } from "../lib/secret.ts";
import { MemoryDirectory } from "../stores/memory/memory-directory.ts";
import type { Directory } from "./directory.ts";
import { DirectoryMirror } from "./directory-mirror.ts";
import { keyHash } from "./key-hash.ts";
import { KeyRing } from "./key-ring.ts";

const hash = keyHash(new Secret("a secret of more than thirty-two characters"));
const actor = { name: "operator", address: "" };

const addKey = (directory: Directory, text: string) =>
  directory.change(actor, (changes) =>
    changes.insert("key", {
      name: text,
      prefix: "",
      hash: hash(text),
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

const addBudget = (directory: Directory, name: string) =>
  directory.change(actor, (changes) =>
    changes.insert("budget", {
      name,
      scope: { kind: "total", value: undefined },
      limit: fromDollars(1),
      window: { kind: "rolling", lengthMs: 3_600_000 },
      hard: true,
      onExhausted: "refuse",
      notifyAt: [],
      source: "api",
    }),
  );

function replica(directory: Directory, clock: FakeClock) {
  const ring = new KeyRing({ hash, clock });
  const budgets: (readonly Budget[])[] = [];
  const mirror = new DirectoryMirror({
    directory,
    ring,
    clock,
    changed: (content) => budgets.push(content.budgets),
    alert: (error) => {
      throw error;
    },
  });
  return { ring, mirror, budgets, knows: (text: string) => ring.find(text) !== undefined && !ring.open };
}

function twoReplicas() {
  const clock = new FakeClock();
  const directory = new MemoryDirectory({ clock, randomness: systemRandomness() });
  return { clock, directory, here: replica(directory, clock), there: replica(directory, clock) };
}

test("a change is in force here when refresh resolves, and on other replicas with their next look", async () => {
  const { clock, directory, here, there } = twoReplicas();
  await here.mirror.start();
  await there.mirror.start();
  await addKey(directory, "fl-1");
  await addBudget(directory, "b");
  await here.mirror.refresh();
  expect(here.knows("fl-1")).toBe(true);
  expect(here.budgets.at(-1)).toHaveLength(1);
  expect(there.knows("fl-1")).toBe(false);
  await clock.advance(3_000);
  expect(there.knows("fl-1")).toBe(true);
  expect(there.budgets.map(({ length }) => length)).toEqual([0, 1]);
  here.mirror.stop();
  there.mirror.stop();
  expect(clock.waiting).toBe(0);
});

test("looking without a change loads nothing and replaces no principal", async () => {
  const { clock, directory, here } = twoReplicas();
  await addKey(directory, "fl-1");
  await here.mirror.start();
  const principal = here.ring.find("fl-1");
  await clock.advance(30_000);
  expect(here.budgets).toHaveLength(1);
  expect(here.ring.find("fl-1")).toBe(principal as never);
  here.mirror.stop();
});

test("changes that come while it loads are in force when their own refresh resolves", async () => {
  const { directory, here } = twoReplicas();
  await here.mirror.start();
  await Promise.all(
    Array.from({ length: 20 }, async (_, at) => {
      await addKey(directory, `fl-${at}`);
      await here.mirror.refresh();
      expect(here.knows(`fl-${at}`)).toBe(true);
    }),
  );
  here.mirror.stop();
});

test("more keys than a page holds are all loaded", async () => {
  const { directory, here } = twoReplicas();
  for (let at = 0; at < 1_001; at++) await addKey(directory, `fl-${at}`);
  await here.mirror.start();
  for (const at of [0, 500, 999, 1_000]) expect(here.knows(`fl-${at}`)).toBe(true);
  here.mirror.stop();
});
