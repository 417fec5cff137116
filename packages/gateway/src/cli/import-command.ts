import { Command } from "commander";
import type { CommandResult } from "./config-check.ts";

/** Makes `fairlead import`, which turns other gateways' configs into ours. */
export function importCommand(finish: (result: CommandResult) => void): Command {
  const litellm = new Command("litellm")
    .description("write a config for a LiteLLM proxy's, and report what did not map")
    .argument("[file]", "config file of a LiteLLM proxy", "config.yaml")
    .option("-o, --out <file>", "file to write", "fairlead.yaml")
    .option("--force", "replace the file", false)
    .option("--json", "report in JSON", false)
    .action(async (path: string, options: { out: string; force: boolean; json: boolean }) => {
      const { runImportLitellm } = await import("./import-litellm.ts");
      finish(runImportLitellm({ path, ...options }));
    });
  return new Command("import").description("bring a config from another gateway").addCommand(litellm);
}
