import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type AdminRig, adminRig, operatorToken } from "../../test/fixtures/admin-rig.ts";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import { adminApp } from "../admin/admin-app.ts";
import { adminCommands } from "./admin-commands.ts";

let rig: AdminRig;
let server: Bun.Server<undefined>;
beforeAll(async () => {
  rig = await adminRig();
  const app = adminApp(rig.deps);
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
});
afterAll(async () => {
  await server.stop(true);
  await rig.stop();
});

async function run(line: string, stdin = ""): Promise<string> {
  const env = {
    FAIRLEAD_URL: `http://127.0.0.1:${server.port}`,
    FAIRLEAD_ADMIN_TOKEN: operatorToken,
    PROVIDER_KEY: "from-the-environment",
  };
  let output = "";
  const root = new Command("fairlead");
  const finish = (result: { readonly output: string }): void => {
    output = result.output;
  };
  for (const command of adminCommands(env, finish, rig.clock, async () => stdin)) root.addCommand(command);
  await root.parseAsync(line.split(" "), { from: "user" });
  return output;
}

const stored = async (name: string): Promise<string> => {
  const credential = await rig.directory.get("credential", name);
  return rig.deps.vault.open(name, credential?.sealed ?? "");
};

test("a credential comes from standard input, a file or the environment, and is never printed", async () => {
  const said = await run("credentials set cloud", "sk-piped-in\n");
  expect(said).toContain("{ store: cloud }");
  expect(said).not.toContain("sk-piped-in");
  expect(await stored("cloud")).toBe("sk-piped-in");
  using folder = tempDir();
  const file = join(folder.path, "key");
  writeFileSync(file, "sk-from-a-file\n");
  await run(`credentials set cloud --file ${file}`);
  expect(await stored("cloud")).toBe("sk-from-a-file");
  await run("credentials set cloud --from-env PROVIDER_KEY");
  expect(await stored("cloud")).toBe("from-the-environment");
  expect(await run("credentials list")).toMatch(/cloud +3 /);
  await run("credentials delete cloud");
  expect(await run("credentials list")).toBe("No credentials are stored.");
});

test("a new value of a credential in use is put in force, and it cannot be deleted", async () => {
  await run("credentials set not-in-use", "sk-1\n");
  expect(rig.refreshes()).toBe(0);
  await run("credentials set referred-to", "sk-2\n");
  expect(rig.refreshes()).toBe(1);
  const refused = await run("credentials delete referred-to").catch((error: Error) => error.message);
  expect(refused).toContain("The running config refers to this credential");
  expect(await stored("referred-to")).toBe("sk-2");
  await run("credentials delete not-in-use");
});

test("without a value nothing is stored, and it says where it looked", async () => {
  const failed = await run("credentials set empty").catch((error: Error) => error.message);
  expect(failed).toContain("standard input");
  expect(await run("credentials set empty --from-env UNSET").catch((error: Error) => error.message)).toContain("UNSET");
  expect(await rig.directory.get("credential", "empty")).toBeUndefined();
});
