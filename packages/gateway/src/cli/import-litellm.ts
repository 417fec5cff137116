import { readFileSync, writeFileSync } from "node:fs";
import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { stringify } from "yaml";
import { ConfigError } from "../config/config-error.ts";
import type { CommandResult } from "./config-check.ts";
import type { ConversionNotes } from "./litellm/conversion.ts";
import { convertLitellm } from "./litellm/convert-litellm.ts";
import { readLitellm } from "./litellm/read-litellm.ts";

export interface ImportLitellmOptions {
  /** A LiteLLM proxy config. */
  readonly path: string;
  /** Where ours is written; an existing file is not touched unless `force`. */
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

const header = `# Imported from a LiteLLM proxy config. Check it with \`fairlead config check\`.
`;

/**
 * Writes a config of ours for a LiteLLM proxy's, and reports what did not map. Exit code 2 when the file is wrong, or
 * nothing of it can be served.
 */
export function runImportLitellm({ path, out, force = false, json = false }: ImportLitellmOptions): CommandResult {
  try {
    const { config, notes } = convertLitellm(readLitellm(readFile(path), path));
    const served = Object.keys(config.upstreams ?? {}).length;
    if (served > 0) writeConfig(out, `${header}${stringify(config, { lineWidth: 120 })}`, force);
    const output = json ? asJson(path, out, config, notes) : inWords(path, out, config, notes);
    return { exitCode: served > 0 ? 0 : 2, output };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    const { problems, message } = thrown;
    return { exitCode: 2, output: json ? JSON.stringify({ written: false, file: path, problems }, null, 2) : message };
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new ConfigError(path, [{ path: "", what: `cannot be read (${codeOf(thrown)})`, expected: "a YAML file" }]);
  }
}

function writeConfig(out: string, text: string, force: boolean): void {
  try {
    writeFileSync(out, text, { flag: force ? "w" : "wx", mode: 0o600 });
  } catch (thrown) {
    const code = codeOf(thrown);
    const what = code === "EEXIST" ? "exists already" : `cannot be written (${code})`;
    throw new ConfigError(out, [{ path: "", what, expected: "a new file, or `--force` to replace this one" }]);
  }
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown error";
}

function inWords(path: string, out: string, config: FairleadConfigInput, notes: ConversionNotes): string {
  const upstreams = Object.keys(config.upstreams ?? {}).length;
  const names = Object.keys(config.models ?? {}).length + Object.keys(config.aliases ?? {}).length;
  const variables = [...notes.variables].map(([name, what]) => `  ${name}  ${what}`);
  const lost = notes.unmapped.map(({ path: where, why }) => `  ${where}: ${why}`);
  return [
    upstreams === 0
      ? `Nothing was written: no entry of ${path} can be served.`
      : `${out}: ${upstreams} upstream${upstreams === 1 ? "" : "s"}, ${names} public name${names === 1 ? "" : "s"}.`,
    ...(variables.length > 0 ? ["", "Set in the environment:", ...variables] : []),
    ...(lost.length > 0 ? ["", "Not carried over, or not as it was:", ...lost] : ["", "Everything was carried over."]),
  ].join("\n");
}

function asJson(path: string, out: string, config: FairleadConfigInput, notes: ConversionNotes): string {
  const written = Object.keys(config.upstreams ?? {}).length > 0;
  const variables = Object.fromEntries(notes.variables);
  return JSON.stringify({ written, file: path, out, variables, unmapped: notes.unmapped, config }, null, 2);
}
