import { Command } from "commander";
import { type Clock, systemClock } from "../lib/clock.ts";
import type { AdminClient, AdminOptions } from "./admin-client.ts";
import type { CreateBudgetOptions } from "./budgets.ts";
import type { CommandResult } from "./config-check.ts";
import type { CredentialInput } from "./credentials.ts";
import type { CreateKeyOptions } from "./keys.ts";
import type { ReportOptions } from "./report-range.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Common = AdminOptions & { readonly json: boolean };
type Finish = (result: CommandResult) => void;

/** Collects an option that may be given several times. */
const several = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** Adds how to find the gateway, and `--json`. */
export function toGateway(command: Command): Command {
  return command
    .option("--url <url>", "address of the gateway (default: FAIRLEAD_URL, or http://127.0.0.1:8080)")
    .option("--token <token>", "admin token (default: FAIRLEAD_ADMIN_TOKEN, or the one this machine's gateway keeps)")
    .option("--dir <folder>", "data folder of the gateway on this machine (default: FAIRLEAD_DATA, or ./fairlead-data)")
    .option("--json", "answer in JSON", false);
}

/**
 * Makes the commands that talk to a running gateway. What they do is loaded when one is run: `serve` starts without it.
 */
export function adminCommands(
  env: Env,
  finish: Finish,
  clock: Clock = systemClock,
  readStdin: () => Promise<string> = () => Bun.stdin.text(),
): readonly Command[] {
  const open = async (options: AdminOptions): Promise<AdminClient> => {
    const { adminClient } = await import("./admin-client.ts");
    return adminClient(options, env);
  };
  return [
    keyCommands(open, finish, clock),
    teamCommands(open, finish),
    budgetCommands(open, finish),
    credentialCommands(open, finish, { env, readStdin }),
    ...reports(open, finish, clock),
  ];
}

type Open = (options: AdminOptions) => Promise<AdminClient>;

function keyCommands(open: Open, finish: Finish, clock: Clock): Command {
  const keys = new Command("keys").description("virtual keys that clients send");
  const add = (text: string, description: string): Command => {
    const command = toGateway(new Command(text).description(description));
    keys.addCommand(command);
    return command;
  };
  add("list", "list keys")
    .option("--team <name>", "only of this team")
    .option("--user <id>", "only of this person or service account")
    .action(async ({ team, user, json, ...to }: Common & { team?: string; user?: string }) => {
      const { listKeys } = await import("./keys.ts");
      finish(await listKeys(await open(to), { team, user }, json, clock.now()));
    });
  add("show", "show one key")
    .argument("<key>", "id or name")
    .action(async (key: string, { json, ...to }: Common) => {
      const { showKey } = await import("./keys.ts");
      finish(await showKey(await open(to), key, json, clock.now()));
    });
  createOptions(add("create", "make a key, which is shown once").argument("<name>", "what it is for")).action(
    async (name: string, { url, token, dir, json, ...options }: Common & CreateKeyOptions) => {
      const { createKey } = await import("./keys.ts");
      finish(await createKey(await open({ url, token, dir }), name, options, json, clock.now()));
    },
  );
  add("rotate", "give a key a new secret, which is shown once")
    .argument("<key>", "id or name")
    .option("--grace <time>", "how long the old one is still taken, as 24h; 0 for not at all (default: 24h)")
    .action(async (key: string, { grace, json, ...to }: Common & { grace?: string }) => {
      const { rotateKey } = await import("./keys.ts");
      finish(await rotateKey(await open(to), key, grace, json));
    });
  for (const [name, disabled] of [
    ["disable", true],
    ["enable", false],
  ] as const) {
    add(name, disabled ? "refuse a key until it is enabled" : "take a disabled key again")
      .argument("<key>", "id or name")
      .action(async (key: string, { json, ...to }: Common) => {
        const { switchKey } = await import("./keys.ts");
        finish(await switchKey(await open(to), key, disabled, json));
      });
  }
  add("delete", "delete a key; its usage stays in the ledger")
    .argument("<key>", "id or name")
    .action(async (key: string, { json, ...to }: Common) => {
      const { deleteKey } = await import("./keys.ts");
      finish(await deleteKey(await open(to), key, json));
    });
  return keys;
}

function createOptions(command: Command): Command {
  return command
    .option("--team <name>", "team whose models, budgets and limits hold as well")
    .option("--user <id>", "person or service account it belongs to")
    .option("--model <name>", "model it may use; several times for more (default: all)", several)
    .option("--allow-strategy <name>", "strategy it may use; several times for more (default: all)", several)
    .option("--strategy <name>", "how its `auto` is placed")
    .option("--alias <name=model>", "its own name for a model; several times for more", several)
    .option("--tag <tag>", "stands in every row of the ledger; several times for more", several)
    .option("--region <name>", "where its requests belong: near upstreams are preferred")
    .option("--local-only", "its prompts never leave self-hosted upstreams")
    .option("--batch", "its requests give way to interactive ones when the gateway is full")
    .option("--expires <time>", "when it ends: 30d, a day or an ISO time")
    .option("--budget <dollars/window>", "budget of its own, as 50/day or 200/month")
    .option("--rpm <n>", "requests a minute")
    .option("--tpm <n>", "tokens a minute")
    .option("--concurrency <n>", "requests at one time");
}

interface TeamOptions {
  readonly model?: string[];
  readonly tag?: string[];
  readonly localOnly?: boolean;
  readonly batch?: boolean;
}

function teamCommands(open: Open, finish: Finish): Command {
  const teams = new Command("teams").description("teams that keys belong to");
  const add = (text: string, description: string): Command => {
    const command = toGateway(new Command(text).description(description));
    teams.addCommand(command);
    return command;
  };
  add("list", "list teams").action(async ({ json, ...to }: Common) => {
    const { listTeams } = await import("./teams.ts");
    finish(await listTeams(await open(to), json));
  });
  add("create", "make a team")
    .argument("<name>", "how keys, budgets and the ledger call it; it stays")
    .option("--model <name>", "model its keys may use; several times for more (default: all)", several)
    .option("--tag <tag>", "added to the tags of its keys; several times for more", several)
    .option("--local-only", "its prompts never leave self-hosted upstreams")
    .option("--batch", "its requests give way to interactive ones when the gateway is full")
    .action(async (name: string, { json, url, token, dir, ...options }: Common & TeamOptions) => {
      const { createTeam } = await import("./teams.ts");
      finish(await createTeam(await open({ url, token, dir }), name, options, json));
    });
  add("delete", "delete a team")
    .argument("<team>", "id or name")
    .action(async (team: string, { json, ...to }: Common) => {
      const { deleteTeam } = await import("./teams.ts");
      finish(await deleteTeam(await open(to), team, json));
    });
  add("members", "list who is in a team, after the changes asked for")
    .argument("<team>", "id or name")
    .option("--add <user>", "id of a person to take in; several times for more", several)
    .option("--remove <user>", "id of a person to take out; several times for more", several)
    .action(async (team: string, { add, remove, json, ...to }: Common & { add?: string[]; remove?: string[] }) => {
      const { teamMembers } = await import("./teams.ts");
      finish(await teamMembers(await open(to), team, { ...(add && { add }), ...(remove && { remove }) }, json));
    });
  return teams;
}

function budgetCommands(open: Open, finish: Finish): Command {
  const budgets = new Command("budgets").description("money that may be spent");
  const add = (text: string, description: string): Command => {
    const command = toGateway(new Command(text).description(description));
    budgets.addCommand(command);
    return command;
  };
  add("list", "list budgets with what is spent and held").action(async ({ json, ...to }: Common) => {
    const { listBudgets } = await import("./budgets.ts");
    finish(await listBudgets(await open(to), json));
  });
  add("create", "make a budget")
    .argument("<name>")
    .requiredOption("--scope <scope>", "total, or placement=, provider=, upstream=, team=, key= or tag= with a value")
    .requiredOption("--limit <dollars>", "what may be spent in one window")
    .option("--window <window>", "hour, day, week, month, or a rolling time such as 36h (default: day)")
    .option("--time-zone <zone>", "where the calendar's windows begin (default: UTC)")
    .option("--soft", "only notify")
    .option("--on-exhausted <what>", "self-hosted: keep to your own models; refuse: 402 (default: self-hosted)")
    .option("--notify <shares>", "shares of the limit that notify, as 0.5,0.8,1")
    .action(async (name: string, { url, token, dir, json, ...options }: Common & CreateBudgetOptions) => {
      const { createBudget } = await import("./budgets.ts");
      finish(await createBudget(await open({ url, token, dir }), name, options, json));
    });
  add("delete", "delete a budget that was made here; those of the config are changed there")
    .argument("<budget>", "id or name")
    .action(async (budget: string, { json, ...to }: Common) => {
      const { deleteBudget } = await import("./budgets.ts");
      finish(await deleteBudget(await open(to), budget, json));
    });
  return budgets;
}

function credentialCommands(
  open: Open,
  finish: Finish,
  from: { readonly env: Env; readonly readStdin: () => Promise<string> },
): Command {
  const credentials = new Command("credentials").description("providers' secrets, kept encrypted in the store");
  const add = (text: string, description: string): Command => {
    const command = toGateway(new Command(text).description(description));
    credentials.addCommand(command);
    return command;
  };
  add("list", "list the names of stored credentials").action(async ({ json, ...to }: Common) => {
    const { listCredentials } = await import("./credentials.ts");
    finish(await listCredentials(await open(to), json));
  });
  add("set", "store a credential, read from standard input unless told otherwise")
    .argument("<name>", "how a config names it: `{ store: <name> }`")
    .option("--file <path>", "read it from a file")
    .option("--from-env <name>", "read it from an environment variable")
    .action(async (name: string, { file, fromEnv, json, ...to }: Common & CredentialInput) => {
      const { setCredential } = await import("./credentials.ts");
      finish(await setCredential(await open(to), name, { file, fromEnv }, from, json));
    });
  add("delete", "delete a stored credential")
    .argument("<name>")
    .action(async (name: string, { json, ...to }: Common) => {
      const { deleteCredential } = await import("./credentials.ts");
      finish(await deleteCredential(await open(to), name, json));
    });
  return credentials;
}

function reportOptions(command: Command): Command {
  return toGateway(command)
    .option(
      "--group-by <names>",
      "up to two of model, target, placement, provider, upstream, key, team, user, tag, day, hour",
    )
    .option("--from <time>", "first moment: a day or an ISO time (default: 30 days ago)")
    .option("--to <time>", "first moment after (default: now)")
    .option("--last <time>", "in place of --from: the last 24h, 7d …")
    .option("--time-zone <zone>", "whose days are meant (default: UTC)")
    .option("--model <name>", "only this model")
    .option("--target <id>", "only this deployment")
    .option("--placement <name>", "only local or cloud")
    .option("--provider <name>", "only this provider")
    .option("--upstream <name>", "only this upstream")
    .option("--key <id>", "only this key")
    .option("--team <name>", "only this team")
    .option("--user <id>", "only this person or service account")
    .option("--tag <tag>", "only requests with this tag");
}

function reports(open: Open, finish: Finish, clock: Clock): readonly Command[] {
  const usage = reportOptions(new Command("usage").description("what was used and what it cost"))
    .option("--csv", "answer in CSV", false)
    .action(async ({ url, token, dir, json, csv, ...options }: Common & ReportOptions & { csv: boolean }) => {
      const { reportUsage } = await import("./usage.ts");
      const format = json ? "json" : csv ? "csv" : "table";
      finish(await reportUsage(await open({ url, token, dir }), options, format, clock.now()));
    });
  const savings = reportOptions(
    new Command("savings").description("what was saved against sending everything to the reference cloud model"),
  ).action(async ({ url, token, dir, json, ...options }: Common & ReportOptions) => {
    const { reportSavings } = await import("./savings.ts");
    finish(await reportSavings(await open({ url, token, dir }), options, json, clock.now()));
  });
  const experiments = toGateway(
    new Command("experiments").description("results of each experiment's arms, and of shadow copies"),
  )
    .option("--from <time>", "first moment: a day or an ISO time (default: 30 days ago)")
    .option("--to <time>", "first moment after (default: now)")
    .action(async ({ from, to, json, ...at }: Common & { from?: string; to?: string }) => {
      const { reportExperiments } = await import("./experiments.ts");
      finish(await reportExperiments(await open(at), { from, to }, json));
    });
  return [usage, savings, experiments];
}
