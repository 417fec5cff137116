import type { FairleadConfigInput } from "@fairlead/contract/config-schema";
import { describe, expect, test } from "vitest";
import { postChat, readError, say } from "../setup/clients.ts";
import { freePort } from "../setup/free-port.ts";
import { startGateway } from "../setup/gateway-process.ts";

/** A gateway whose only upstream is the gateway at that port. */
const towards = (port: number): FairleadConfigInput => ({
  upstreams: {
    next: {
      placement: "cloud",
      protocol: "openai-chat",
      baseUrl: `http://127.0.0.1:${port}/v1`,
      health: false,
      models: [{ id: "circle" }],
    },
  },
  routing: { backoffMs: 1 },
});

const decisions = (gateway: { child: { records: Record<string, unknown>[] } }) =>
  gateway.child.records.filter((record) => record["event"] === "route_decision").length;

describe("a request that comes back", () => {
  for (const stream of [false, true]) {
    test(`to the gateway that sent it is a 508 and no storm${stream ? ", streamed" : ""}`, async () => {
      const port = await freePort();
      const gateway = await startGateway({ config: towards(port), args: ["--port", String(port)] });
      const response = await postChat(gateway.url, say("Hi", { model: "circle", stream }));
      const error = await readError(response);
      expect(error.message).toMatch(/loop|already passed/i);
      expect.soft(response.status).toBe(508);
      expect.soft(error.code).toBe("loop_detected");
      expect(response.headers.get("x-should-retry")).toBe("false");
      await gateway.stop();
      // The request itself and one that came back.
      expect(decisions(gateway)).toBeLessThanOrEqual(2);
    });
  }

  test("through a second gateway is a 508 and no storm", async () => {
    const [one, two] = [await freePort(), await freePort()];
    const first = await startGateway({ config: towards(two), args: ["--port", String(one)] });
    const second = await startGateway({ config: towards(one), args: ["--port", String(two)] });
    const response = await postChat(first.url, say("Hi", { model: "circle" }));
    expect.soft(response.status).toBe(508);
    await Promise.all([first.stop(), second.stop()]);
    expect(decisions(first) + decisions(second)).toBeLessThanOrEqual(3);
  });

  test("after eight other gateways is refused whoever they were", async () => {
    const gateway = await startGateway({ config: towards(9) });
    const hops = Array.from({ length: 8 }, (_, i) => `gateway-${i}`).join(",");
    const response = await postChat(gateway.url, say("Hi", { model: "circle" }), { "x-router-hop": hops });
    expect.soft(response.status).toBe(508);
    expect((await readError(response)).code).toBe("loop_detected");
  });
});
