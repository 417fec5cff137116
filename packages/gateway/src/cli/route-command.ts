import { Command } from "commander";
import type { CommandResult } from "./config-check.ts";
import type { RouteExplainOptions } from "./route-explain.ts";

/** The command that asks a running gateway where requests go. */
export function routeCommand(
  env: Readonly<Record<string, string | undefined>>,
  finish: (result: CommandResult) => void,
): Command {
  const route = new Command("route").description("where requests go, and why");
  route.addCommand(
    new Command("explain")
      .description("show where a request would go, or why one went where it went; nothing is run")
      .argument("[prompt]", "what the user says; or use --file or --id")
      .option("--url <url>", "address of the gateway (default: FAIRLEAD_URL, or http://127.0.0.1:8080)")
      .option("--key <key>", "the client's key (default: FAIRLEAD_API_KEY)")
      .option("--file <file>", "a chat completions request as JSON; - for standard input")
      .option("--id <id>", "a decision that was made, by its X-Router-Decision-Id")
      .option("--model <name>", "the model asked for (default: auto)")
      .option("--max-tokens <n>", "the output limit asked for")
      .option("--strategy <name>", "the strategy asked for")
      .option("--local-only", "as if the request's data must stay on the premises")
      .option("--json", "answer in JSON", false)
      .action(async (prompt: string | undefined, options: RouteExplainOptions) => {
        const { routeExplain } = await import("./route-explain.ts");
        finish(await routeExplain(prompt, options, env));
      }),
  );
  return route;
}
