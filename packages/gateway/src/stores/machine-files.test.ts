import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MachineFiles } from "./machine-files.ts";

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "fairlead-machine-"));
  folders.push(made);
  return join(made, "data");
}

afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

test("a secret is made once, for its owner only, and stays the same", () => {
  const dir = folder();
  const first = new MachineFiles(dir).readOrMake("secret");
  expect(first.reveal()).toMatch(/^[0-9a-f]{64}$/);
  expect(new MachineFiles(dir).readOrMake("secret").reveal()).toBe(first.reveal());
  expect(statSync(join(dir, "secret")).mode & 0o777).toBe(0o600);
  expect(statSync(dir).mode & 0o777).toBe(0o700);
  expect(readdirSync(dir)).toEqual(["secret"]);
});

test("who comes second takes what the first one made", () => {
  const dir = folder();
  const files = new MachineFiles(dir);
  const made = files.readOrMake("secret", () => {
    writeFileSync(join(dir, "secret"), "theirs\n");
    return "mine";
  });
  expect(made.reveal()).toBe("theirs");
});

test("a removed secret is gone, and removing it again is no error", () => {
  const files = new MachineFiles(folder());
  expect(files.read("token")).toBeUndefined();
  files.readOrMake("token", () => "once");
  files.remove("token");
  files.remove("token");
  expect(files.read("token")).toBeUndefined();
});
