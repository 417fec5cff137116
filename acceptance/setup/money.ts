import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { expect, vi } from "vitest";
import type { AdminAnswer, operator } from "./admin.ts";
import { type ChatBody, say } from "./clients.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { claudeModels, localModel, openaiModel } from "./rig.ts";

/** Dollars per million tokens that tests can compute with in their heads. */
export const prices = {
  openai: { input: 10, output: 20 },
  anthropic: { input: 100, output: 200 },
  local: { input: 1, output: 2 },
  /** What every request would have cost at the reference model. */
  reference: { input: 1_000, output: 2_000 },
} as const;

const reference = { provider: "anthropic", model: "claude-opus-4-8" };

/** A config's `pricing` with exactly `prices`, whatever the price book says. */
export function pricing(more: Partial<FairleadConfigInput["pricing"]> = {}): FairleadConfigInput["pricing"] {
  return {
    reference,
    overrides: [
      { model: openaiModel, provider: "openai", ...exact(prices.openai) },
      ...claudeModels.map((model) => ({ model, provider: "anthropic", ...exact(prices.anthropic) })),
      { ...reference, ...exact(prices.reference) },
      { model: localModel, upstream: "vllm", ...exact(prices.local) },
    ],
    ...more,
  };
}

function exact({ input, output }: { input: number; output: number }) {
  return { input, output, cachedRead: input, cacheWrite: input, longCacheWrite: input };
}

/** A request whose answer has exactly so many tokens, with more words for the simulator. */
export function askFor(tokens: number, more: Readonly<Record<string, unknown>> = {}, words = ""): ChatBody {
  return say(`[[sim:tokens=${tokens}]]${words}`, { model: openaiModel, ...more });
}

/** Input tokens of a request with one message, as the simulator counts them. */
export function inputTokens({ messages }: ChatBody): number {
  const [{ content }] = messages as [{ content: string }];
  return 3 + 4 + Math.ceil(content.length / 4);
}

/** Nano-dollars at one of `prices`: whole numbers, so that sums are exact. */
export function nanoCost(price: { input: number; output: number }, input: number, output: number): number {
  return (input * price.input + output * price.output) * 1_000;
}

export const nano = (dollars: number): number => Math.round(dollars * 1e9);

/** The rows of the ledger, oldest first, once there are so many. */
export async function ledgerRows(call: ReturnType<typeof operator>, count: number, query = "") {
  return vi.waitFor(
    async () => {
      const { json } = await call("GET", `/decisions?limit=1000${query}`);
      expect(json.data.length).toBe(count);
      return [...json.data].reverse();
    },
    { timeout: 10_000, interval: 50 },
  );
}

/** Where the budget of that name stands. */
export async function budgetNamed(call: ReturnType<typeof operator>, name: string) {
  const { json } = await call("GET", "/budgets");
  const found = json.data.find((budget: { name: string }) => budget.name === name);
  return { ...found, spent: nano(found?.current?.spent_usd), held: nano(found?.current?.held_usd) };
}

/** Makes a virtual key and returns its text and id. */
export async function makeKey(
  call: (method: string, path: string, body?: unknown) => Promise<AdminAnswer>,
  name: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ id: string; key: string; headers: { authorization: string } }> {
  const { status, json, text } = await call("POST", "/keys", { name, ...more });
  if (status !== 201) throw new Error(`No key was made (${status}): ${text}`);
  return { id: json.id, key: json.key, headers: { authorization: `Bearer ${json.key}` } };
}

/** Ends the process as a crash would. */
export async function crash(gateway: GatewayProcess): Promise<void> {
  gateway.child.process.kill("SIGKILL");
  await gateway.child.ended;
}
