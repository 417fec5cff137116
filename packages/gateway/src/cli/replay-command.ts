import { Command, Option } from "commander";
import type { CommandResult } from "./config-check.ts";
import { positive } from "./parse-options.ts";

interface ReplayFlags {
  readonly policy: string;
  readonly traffic?: string;
  readonly trafficUrl?: string;
  readonly token?: string;
  readonly live: "recorded" | "ready";
  readonly limit?: string;
  readonly changes: string;
  readonly json: boolean;
}

/** `fairlead replay`. */
export function replayCommand(
  env: Readonly<Record<string, string | undefined>>,
  finish: (result: CommandResult) => void,
): Command {
  return new Command("replay")
    .description("decide recorded requests again under another config, and compare; nothing is sent to any upstream")
    .requiredOption("--policy <file>", "the config to try; its keys need not be here")
    .option("--traffic <file>", "recorded decisions as JSON lines, oldest first; - for standard input")
    .option(
      "--traffic-url <url>",
      "the same from a gateway: its address, or http://…/admin/v1/ledger/export?format=jsonl&from=…",
    )
    .option("--token <token>", "token for --traffic-url (default: FAIRLEAD_ADMIN_TOKEN)")
    .addOption(
      new Option("--live <state>", "how targets are: as the record tells, or all ready")
        .choices(["recorded", "ready"])
        .default("recorded"),
    )
    .option("--limit <n>", "only the first so many requests")
    .option("--changes <n>", "show so many requests that go elsewhere", "0")
    .option("--json", "report in JSON", false)
    .action(async ({ limit, changes, ...flags }: ReplayFlags) => {
      const { runReplay } = await import("./replay/run-replay.ts");
      const options = {
        ...flags,
        limit: limit === undefined ? undefined : positive(limit, "--limit", true),
        changes: changes === "0" ? 0 : positive(changes, "--changes", true),
      };
      finish(await runReplay(options, env));
    });
}
