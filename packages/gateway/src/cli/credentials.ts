import { readFileSync } from "node:fs";
import { credentialAnswer, credentialPage } from "@fairlead/contract/admin-api/config-api";
import { deletedAnswer } from "@fairlead/contract/admin-api/wire-fields";
import type { z } from "zod";
import type { AdminClient } from "./admin-client.ts";
import { CommandError } from "./command-error.ts";
import type { CommandResult } from "./config-check.ts";
import { renderTable, timeText } from "./table.ts";

const path = "/admin/v1/credentials";
const at = (name: string): string => `${path}/${encodeURIComponent(name)}`;
const ok = (output: string): CommandResult => ({ exitCode: 0, output });
const asJson = (value: unknown): CommandResult => ok(JSON.stringify(value, null, 2));

/** Where a credential's value comes from; never the command line, which others on the machine can read. */
export interface CredentialInput {
  readonly file?: string | undefined;
  readonly fromEnv?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

async function readValue(input: CredentialInput, env: Env, readStdin: () => Promise<string>): Promise<string> {
  const { file, fromEnv } = input;
  let text: string | undefined;
  if (fromEnv !== undefined) text = env[fromEnv];
  else if (file === undefined) text = await readStdin();
  else {
    try {
      text = readFileSync(file, "utf8");
    } catch {
      throw new CommandError(`The file ${JSON.stringify(file)} cannot be read.`);
    }
  }
  const value = text?.replace(/[\r\n]+$/, "") ?? "";
  if (value !== "") return value;
  const where = fromEnv === undefined ? (file ?? "standard input") : `the environment variable ${fromEnv}`;
  throw new CommandError(`There is no value in ${where}. Pipe it in, or give --file or --from-env.`);
}

export async function listCredentials(client: AdminClient, json: boolean): Promise<CommandResult> {
  const data = await client.all<z.output<typeof credentialAnswer>>(path, credentialPage);
  if (json) return asJson({ data });
  if (data.length === 0) return ok("No credentials are stored.");
  const columns = ["NAME", "VERSION", "STORED"].map((title) => ({ title }));
  const rows = data.map(({ name, version, created_at: since }) => [name, String(version), timeText(since)]);
  return ok(renderTable(columns, rows));
}

export async function setCredential(
  client: AdminClient,
  name: string,
  input: CredentialInput,
  from: { readonly env: Env; readonly readStdin: () => Promise<string> },
  json: boolean,
): Promise<CommandResult> {
  const value = await readValue(input, from.env, from.readStdin);
  const credential = await client.put(at(name), credentialAnswer, { value });
  return json ? asJson(credential) : ok(`${name} is stored. A config names it as \`{ store: ${name} }\`.`);
}

export async function deleteCredential(client: AdminClient, name: string, json: boolean): Promise<CommandResult> {
  const deleted = await client.delete(at(name), deletedAnswer);
  return json ? asJson(deleted) : ok(`${name} is deleted.`);
}
