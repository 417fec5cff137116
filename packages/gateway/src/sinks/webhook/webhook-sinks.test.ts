import { afterEach, expect, test } from "bun:test";
import type { BudgetNotice } from "../../core/budget.ts";
import { fromDollars } from "../../core/money.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandomness } from "../../lib/ids.ts";
import { Secret } from "../../lib/secret.ts";
import type { WebhookReceiver } from "./webhook-sink.ts";
import { WebhookSinks } from "./webhook-sinks.ts";

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

function receiver() {
  const received: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      received.push(((await request.json()) as { budget: { name: string } }).budget.name);
      return new Response(null, { status: 204 });
    },
  });
  servers.push(server);
  const hook: WebhookReceiver = { url: `${server.url}hook`, secret: new Secret("s".repeat(16)), events: ["budget"] };
  return { received, hook };
}

const notice = (name: string): BudgetNotice =>
  ({
    budget: {
      id: name,
      name,
      limit: fromDollars(1),
      window: { kind: "rolling", lengthMs: 1 },
      scope: { kind: "total" },
      hard: false,
    },
    threshold: 0.5,
    spent: fromDollars(1),
    windowStartMs: 0,
    at: 0,
  }) as unknown as BudgetNotice;

test("one that stays is told on, one that is new from then on, and one that left what it has queued", async () => {
  const [stays, leaves, comes] = [receiver(), receiver(), receiver()];
  const sinks = new WebhookSinks({ clock: systemClock, randomness: systemRandomness(), warn() {} });
  sinks.follow([stays.hook, leaves.hook]);
  sinks.budgetReached(notice("one"));
  sinks.follow([comes.hook, { ...stays.hook, secret: new Secret("s".repeat(16)) }]);
  sinks.budgetReached(notice("two"));
  await sinks.close();
  expect([stays.received, leaves.received, comes.received]).toEqual([["one", "two"], ["one"], ["two"]]);
});
