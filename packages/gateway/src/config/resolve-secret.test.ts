import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "./config-error.ts";
import { parseConfig } from "./load-config.ts";
import { resolveCatalogue } from "./resolve-catalogue.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fairlead-own-"));
  mkdirSync(join(folder, "data"));
  mkdirSync(join(folder, "database"));
  for (const file of ["data/admin-token", "database/key"]) writeFileSync(join(folder, file), "canary-of-the-owner\n");
  symlinkSync(join(folder, "data"), join(folder, "link"));
  symlinkSync(join(folder, "data/admin-token"), join(folder, "key"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(file: string): string {
  const text = [
    `storage: { dir: ${join(folder, "data")} }`,
    `upstreams: { a: { preset: vllm, models: [{ id: m }], auth: { type: bearer, key: { file: ${file} } } } }`,
  ].join("\n");
  const { config, source } = parseConfig(text, "fairlead.yaml", {});
  try {
    resolveCatalogue(config, { source, env: {} });
    return "";
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.message;
  }
}

test.each(["data/admin-token", "data/../data/admin-token", "link/admin-token", "key", "data/not-there"])(
  "%s in the gateway's own folder is no key",
  (file) => {
    // Not made shorter by `join`: the way there is what matters.
    const told = problemsOf(`${folder}/${file}`);
    expect(told).toContain("upstreams.a.auth.key");
    expect(told).not.toContain("canary");
    if (file !== "data/not-there") expect(told).toContain("own data folder");
  },
);

test("a folder whose name only begins alike is another", () => {
  expect(problemsOf(join(folder, "database/key"))).toBe("");
});
