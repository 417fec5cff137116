import { afterEach, beforeEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import type { AdminClient } from "./admin-client.ts";
import { diffFiles, diffRunning } from "./config-diff.ts";

let folder: ReturnType<typeof tempDir>;
beforeEach(() => {
  folder = tempDir();
});
afterEach(() => folder[Symbol.dispose]());

function file(name: string, more = "", key = "canary-one"): string {
  const path = join(folder.path, name);
  const upstream = `{ preset: vllm, baseUrl: "http://127.0.0.1:9/v1", auth: { type: bearer, key: ${key} }, models: [{ id: m }] }`;
  writeFileSync(path, `upstreams:\n  a: ${upstream}\n${more}`);
  return path;
}

test("two files that say the same in other words are the same", () => {
  const [one, two] = [file("one", "aliases: { x: a/m }\n"), file("two", "# A remark.\naliases:\n  x: a/m\n")];
  expect(diffFiles(one, two, {}, false)).toMatchObject({ exitCode: 0, output: expect.stringContaining("the same") });
});

test("changes are told place by place, with what needs a restart, and no secret", () => {
  const one = file("one", "aliases: { x: a/m, y: a/m }\nserver: { port: 8080 }\n");
  const two = file(
    "two",
    "aliases: { x: m, z: a/m }\nserver: { port: 9090 }\nstorage: { retentionDays: 3 }\n",
    "canary-two",
  );
  const { exitCode, output } = diffFiles(one, two, {}, false);
  expect(exitCode).toBe(1);
  expect(output.split("\n").filter((line) => !line.startsWith("warning"))).toEqual([
    '~ upstreams.a.auth.key: "[secret]"',
    '~ aliases.x: "a/m" → "m"',
    '- aliases.y: "a/m"',
    '+ aliases.z: "a/m"',
    "~ server.port: 8080 → 9090",
    "+ storage.retentionDays: 3",
    "needs a restart: server.port",
    "needs a restart: storage.retentionDays",
  ]);
  const json = diffFiles(one, two, {}, true);
  expect(JSON.parse(json.output)).toMatchObject({
    same: false,
    problems: [],
    restart_needed: ["server.port", "storage.retentionDays"],
  });
  expect(output + json.output).not.toContain("canary");
});

test("a file with faults is told with all of them and ends with 2", () => {
  const { exitCode, output } = diffFiles(
    file("one"),
    file("two", "aliases: { x: nobody/knows }\ncolour: red\n"),
    {},
    false,
  );
  expect(exitCode).toBe(2);
  expect(output).toMatch(/two:4:\d+ colour/);
  expect(diffFiles(file("one"), join(folder.path, "none"), {}, true).exitCode).toBe(2);
});

test("against a gateway it tells what that one would do with the file", async () => {
  const path = file("one");
  const answer = {
    valid: true,
    problems: [] as object[],
    warnings: ["careful"],
    changes: [{ path: "aliases.x", change: "added", before: null, after: "a/m" }],
    restart_needed: ["storage.dir"],
  };
  const asked: unknown[] = [];
  const client = {
    post: async (...call: unknown[]) => {
      asked.push(call[0]);
      return answer;
    },
  } as unknown as AdminClient;
  expect(await diffRunning(() => client, path, false)).toEqual({
    exitCode: 1,
    output: '+ aliases.x: "a/m"\nneeds a restart: storage.dir\nwarning: careful',
  });
  answer.problems.push({ path: "aliases.x", message: "is wrong", line: 3, column: null });
  expect(await diffRunning(() => client, path, false)).toEqual({
    exitCode: 2,
    output: `${path}:3:1 aliases.x: is wrong`,
  });
  expect(asked).toEqual(["/admin/v1/config/plan", "/admin/v1/config/plan"]);
  expect((await diffRunning(() => client, join(folder.path, "none"), false)).exitCode).toBe(2);
});
