import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareConfig } from "./load.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "fairlead-"));
  folders.push(folder);
  const config = join(folder, "fairlead.yaml");
  writeFileSync(config, text);
  return config;
}

test("a config file without upstreams does not start a gateway that fails every request", async () => {
  const config = fileOf("server: { port: 0 }");
  await expect(prepareConfig({ config }, {}, false)).rejects.toThrow("upstreams: is empty");
});

test("the demo fills an empty file with simulated upstreams", async () => {
  const { resolved, simulated } = await prepareConfig({ config: fileOf("upstreams: {}") }, {}, true);
  await simulated.stop();
  expect(resolved.upstreams.every((upstream) => upstream.simulated)).toBe(true);
  expect(resolved.upstreams.length).toBeGreaterThan(1);
});
