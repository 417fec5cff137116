import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type AdminRig, adminRig, operatorToken } from "../../test/fixtures/admin-rig.ts";
import { attemptOf, cloudTarget, exchangeOf, localTarget } from "../../test/fixtures/ledger-rows.ts";
import { tempDir } from "../../test/fixtures/temp-dir.ts";
import { adminApp } from "../admin/admin-app.ts";
import { adminCommands } from "./admin-commands.ts";
import type { CommandResult } from "./config-check.ts";

let rig: AdminRig;
let server: Bun.Server<undefined>;
let env: Record<string, string>;

beforeAll(async () => {
  rig = await adminRig();
  const app = adminApp(rig.deps);
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => app.fetch(request) });
  env = { FAIRLEAD_URL: `http://127.0.0.1:${server.port}`, FAIRLEAD_ADMIN_TOKEN: operatorToken };
});
afterAll(async () => {
  await server.stop(true);
  await rig.stop();
});

/** Runs one command line against the running admin API. */
async function run(line: string, more: Record<string, string | undefined> = {}): Promise<CommandResult> {
  let result: CommandResult | undefined;
  const root = new Command("fairlead");
  const finish = (told: CommandResult): void => {
    result = told;
  };
  for (const command of adminCommands({ ...env, ...more }, finish, rig.clock)) root.addCommand(command);
  await root.parseAsync(line.split(" "), { from: "user" });
  if (result === undefined) throw new Error("the command told nothing");
  return result;
}

const told = async (line: string): Promise<string> => (await run(line)).output;
const answer = async (line: string) => JSON.parse(await told(`${line} --json`));

describe("fairlead keys", () => {
  test("creates a key with all that it may have, shows it once, and lists it", async () => {
    await told("teams create search --model @local --tag blue");
    const made = await answer(
      "keys create robot --team search --model small --model large --allow-strategy auto --allow-strategy cloud_only --strategy auto --alias fast=small --tag nightly --region eu --expires 30d --budget 50/month --rpm 60 --concurrency 4",
    );
    expect(made).toMatchObject({
      name: "robot",
      team: "search",
      models: ["small", "large"],
      strategies: ["auto", "cloud_only"],
      strategy: "auto",
      aliases: { fast: "small" },
      tags: ["nightly"],
      region: "eu",
    });
    expect(made.key).toStartWith("fl-");
    expect(Date.parse(made.expires_at) - rig.clock.now()).toBe(30 * 86_400_000);
    const budgets = await answer("budgets list");
    expect(budgets.data).toContainEqual(
      expect.objectContaining({ scope: { key: made.id }, limit_usd: 50, window: "month", source: "api" }),
    );
    const limits = await rig.call("GET", "/admin/v1/limits", { token: operatorToken });
    expect(limits.json.data).toContainEqual(
      expect.objectContaining({ scope: { key: made.id }, requests_per_minute: 60, concurrency: 4 }),
    );
    const list = await told("keys list --team search");
    expect(list).toMatch(/^NAME +ID +KEY +TEAM +MODELS +EXPIRES +STATE\nrobot +\S+ +fl-\S+ +search +small, large /);
    expect(list).not.toContain(made.key);
    expect(await told("keys show robot")).toContain("aliases     fast → small");
  });

  test("rotates, disables, enables and deletes by name", async () => {
    const first = await told("keys create spare");
    const [key] = first.split("\n");
    const rotated = await run("keys rotate spare --grace 1h");
    expect(rotated.output.split("\n")[0]).not.toBe(key!);
    expect(rotated.output).toContain("The old one is taken until 1970-01-01 01:16Z.");
    expect(await told("keys disable spare")).toMatch(/^spare \(\S+\) is disabled\.$/);
    expect(await told("keys list")).toMatch(/spare .* disabled/);
    expect(await told("keys enable spare")).toContain("is enabled");
    expect(await told("keys delete spare")).toContain("is deleted");
    await expect(run("keys show spare")).rejects.toThrow("There is no key spare.");
  });

  test("tells a key that was made although its budget could not be", async () => {
    const app = adminApp(rig.deps);
    const error = { code: "store_unavailable", message: "The database does not answer.", param: null };
    const failing = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) =>
        request.url.endsWith("/budgets") ? Response.json({ error }, { status: 503 }) : app.fetch(request),
    });
    try {
      const half = await run(`keys create half --budget 5 --url http://127.0.0.1:${failing.port}`);
      expect(half.exitCode).toBe(1);
      expect(half.output).toMatch(/^fl-\S+\n/);
      expect(half.output).toEndWith("The key was made, but its budget was not: The database does not answer.");
    } finally {
      await failing.stop();
    }
  });

  test("makes nothing when an option is wrong", async () => {
    await expect(run("keys create none --budget much")).rejects.toThrow(
      '--budget is "much": expected a number above 0.',
    );
    expect(await told("keys list")).not.toContain("none ");
  });

  test("refuses a wrong call with path, value and expectation", async () => {
    await expect(run("keys create x --expires yesterday")).rejects.toThrow("expected 30d, a day or an ISO time");
    await expect(run("keys create x --alias fast")).rejects.toThrow('--alias is "fast": expected name=value.');
    await expect(run("keys create x --strategy fastest")).rejects.toThrow("strategy");
    await expect(run("keys create x --team nobody")).rejects.toThrow("nobody");
    await expect(run("keys rotate robot --grace soon")).rejects.toThrow("expected a time such as 24h, 30d or 2w");
  });
});

describe("fairlead teams", () => {
  test("lists, takes people in and out, and deletes", async () => {
    const people = await rig.call("POST", "/admin/v1/users", {
      token: operatorToken,
      body: { kind: "service", name: "robot", role: "member" },
    });
    expect(people.status).toBe(201);
    await told("teams create writers");
    const { id } = people.json;
    expect(await told(`teams members writers --add ${id}`)).toContain(id);
    expect(await told(`teams members writers --remove ${id}`)).toBe("Nobody is in writers.");
    expect(await told("teams list")).toMatch(/writers +\S+ +all +- +active/);
    expect(await told("teams delete writers")).toContain("is deleted");
    expect((await answer("teams list")).data.map(({ name }: { name: string }) => name)).not.toContain("writers");
  });
});

describe("fairlead budgets", () => {
  test("shows what is spent and held, creates and deletes", async () => {
    const made = await told(
      "budgets create blue --scope tag=blue --limit 20 --window 36h --soft --on-exhausted refuse --notify 0.8,1",
    );
    expect(made).toMatch(/^blue \(\S+\) holds \$20\.00 for last 36 h\.$/);
    const list = await told("budgets list");
    // 1 $ of 100 is spent and half a dollar held.
    expect(list).toMatch(
      /^whole +total +\$1\.00 +\$0\.50 +\$100\.00 +▒·+ 1 % +day +1970-01-02 00:00Z +refuses +config$/m,
    );
    expect(list).toMatch(/^blue +tag blue +\$1\.00 .* █▒·+ 5 % +last 36 h .*only notifies +api$/m);
    expect(await told("budgets delete blue")).toContain("is deleted");
    await expect(run("budgets delete whole")).rejects.toThrow(/config/);
    await expect(run("budgets create x --scope colour=blue --limit 5")).rejects.toThrow(
      '--scope is "colour=blue": expected total',
    );
  });
});

describe("fairlead usage and savings", () => {
  beforeAll(async () => {
    const day = 86_400_000;
    const priced = (cost: number, referenceCost: number) => ({
      attempts: [attemptOf(localTarget, { cost })],
      cost,
      referenceCost,
    });
    const cloud = exchangeOf("x3", 2 * day + 1, {
      served: cloudTarget,
      team: "=team",
      attempts: [attemptOf(cloudTarget, { cost: undefined, priceVersion: undefined })],
      cost: undefined,
      unpriced: true,
      referenceCost: undefined,
      usageEstimated: true,
    });
    const rows = [
      exchangeOf("x1", day, priced(2_500_000_000, 10_000_000_000)),
      exchangeOf("x2", day + 1, priced(1_500_000_000, 5_000_000_000)),
      cloud,
    ];
    await rig.ledger.append(rows.map((record) => ({ record, orphaned: false })));
  });
  const range = "--from 1970-01-01 --to 1970-02-01";

  test("group by two dimensions, with totals, and say what has no price or is a guess", async () => {
    const lines = (await told(`usage --group-by placement,day ${range}`)).split("\n");
    expect(lines[0]).toMatch(/^PLACEMENT +DAY +REQUESTS +ERRORS +INPUT +CACHED +OUTPUT +COST$/);
    expect(lines).toContainEqual(expect.stringMatching(/^local +1970-01-02 +2 +0 +200 +40 +60 +\$4\.00$/));
    expect(lines).toContainEqual(expect.stringMatching(/^cloud +1970-01-03 +1 +0 +100 +20 +30 +unpriced\*$/));
    expect(lines).toContainEqual(expect.stringMatching(/^total +3 +0 +300 +60 +90 +\$4\.00~\*$/));
    expect(lines).toContain("1970-01-01 00:00 to 1970-02-01 00:00 UTC");
    expect(lines.at(-2)).toBe("* 1 request used tokens nobody knows the price of, which are not in the cost.");
  });

  test("filter, and answer as JSON or CSV that a spreadsheet does not compute", async () => {
    const json = await answer(`usage --group-by model --placement local ${range}`);
    expect(json.data).toMatchObject([{ group: { model: "small" }, requests: 2, cost_usd: 4 }]);
    const [head, ...rows] = (await told(`usage --group-by team ${range} --csv`)).split("\n");
    expect(head).toStartWith("team,requests,errors,attempts,input_tokens,");
    expect(rows.sort()).toEqual([
      expect.stringMatching(/^'=team,1,0,1,100,20,0,30,5,1,1,,/),
      expect.stringMatching(/^team-1,2,0,2,200,40,0,60,10,0,0,4,15,11,/),
    ]);
  });

  test("tell what was saved against the reference model", async () => {
    const lines = (await told(`savings --group-by placement ${range}`)).split("\n");
    expect(lines).toContainEqual(expect.stringMatching(/^local +2 +2 +\$4\.00 +\$15\.00 +\$11\.00 +73 %$/));
    expect(lines).toContain("1970-01-01 00:00 to 1970-02-01 00:00 UTC, against cloud/large for every request.");
    expect(lines.at(-1)).toBe("Left out, for want of a price to compare: 1 request.");
    expect(await answer(`savings ${range}`)).toMatchObject({ reference: "cloud/large", data: [{ saved_usd: 11 }] });
  });

  test("count back from now, and say when nothing was used", async () => {
    expect(await told("usage --last 5m --group-by key")).toMatch(/^Nothing was used from 1970-01-01 00:11 to /);
    await expect(run("usage --last 7d --from 1970-01-01")).rejects.toThrow("give one of them");
    await expect(run("usage --group-by colour")).rejects.toThrow(/group_by/);
  });
});

describe("reaching the gateway", () => {
  test("takes address and token from options, the environment, or the folder of this machine's gateway", async () => {
    using folder = tempDir();
    const kept = join(folder.path, "fairlead-data");
    mkdirSync(kept);
    writeFileSync(join(kept, "admin-token"), `${operatorToken}\n`);
    const none = { FAIRLEAD_ADMIN_TOKEN: undefined };
    expect((await run(`teams list --dir ${kept}`, none)).exitCode).toBe(0);
    expect((await run(`teams list --token ${operatorToken}`, none)).exitCode).toBe(0);
    expect(
      (await run(`teams list --url ${env["FAIRLEAD_URL"]}/`, { FAIRLEAD_URL: "http://127.0.0.1:1" })).exitCode,
    ).toBe(0);
    await expect(run(`teams list --dir ${folder.path}`, none)).rejects.toThrow("There is no admin token");
    const elsewhere = run("teams list", { ...none, FAIRLEAD_URL: "https://gateway.example.com" });
    await expect(elsewhere).rejects.toThrow(/no admin token|for the gateway on this machine/);
  });

  test("says what is wrong when nobody answers, or the token is refused, without telling it", async () => {
    await expect(run("teams list --url http://127.0.0.1:1")).rejects.toThrow(
      /^No gateway answers at http:\/\/127.0.0.1:1 \(/,
    );
    await expect(run("teams list --url nowhere")).rejects.toThrow('"nowhere" is no address');
    const refused = await run("teams list --token not-the-token").catch((thrown: Error) => thrown);
    expect(refused).toBeInstanceOf(Error);
    expect(String(refused)).toContain("refuses the token from --token");
    expect(String(refused)).not.toContain("not-the-token");
  });

  test("says so when something else answers", async () => {
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hello") });
    try {
      await expect(run(`teams list --url http://127.0.0.1:${other.port}`)).rejects.toThrow("does not understand");
    } finally {
      await other.stop();
    }
  });
});
