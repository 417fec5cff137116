import { expect, test } from "bun:test";
import { openTraffic } from "./open-traffic.ts";

async function pathAsked(suffix: string): Promise<string> {
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: ({ url }) => new Response(url) });
  try {
    const traffic = await openTraffic({ trafficUrl: `http://127.0.0.1:${server.port}${suffix}` }, {});
    const pieces: Uint8Array[] = [];
    for await (const piece of traffic) pieces.push(piece);
    const { pathname, search } = new URL(Buffer.concat(pieces).toString());
    return pathname + search;
  } finally {
    await server.stop(true);
  }
}

test("a gateway's address alone means its ledger's export", async () => {
  expect(await pathAsked("")).toBe("/admin/v1/ledger/export?format=jsonl");
  expect(await pathAsked("/")).toBe("/admin/v1/ledger/export?format=jsonl");
});

test("an address with a path stays as it is", async () => {
  expect(await pathAsked("/decisions.jsonl?from=2026")).toBe("/decisions.jsonl?from=2026");
});
