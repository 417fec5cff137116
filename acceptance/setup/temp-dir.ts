import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "./after-all.ts";

const directories: string[] = [];

/** A directory that is removed when the test file ends. */
export function tempDir(): string {
  const directory = mkdtempSync(join(tmpdir(), "fairlead-acceptance-"));
  directories.push(directory);
  return directory;
}

/** Writes a file into a directory of its own and returns its path. */
export function tempFile(name: string, text: string): string {
  const path = join(tempDir(), name);
  writeFileSync(path, text);
  return path;
}

afterAll(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});
