import { expect, test } from "bun:test";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { GatewayError } from "../core/errors.ts";
import type { Sink } from "./sink.ts";
import { steadyAlerts } from "./steady-alerts.ts";

function rig() {
  const clock = new FakeClock();
  const told: string[] = [];
  const sink = (name: string): Sink => ({
    name,
    exchangeSettled: () => {},
    operatorAlert: ({ code, detail }) => void told.push(`${name} ${code} ${detail.target ?? "-"}`),
    close: async () => {},
  });
  const sinks = steadyAlerts([sink("log"), sink("webhook")], clock);
  const alert = (error: GatewayError) => {
    for (const each of sinks) each.operatorAlert(error, "id");
  };
  return { clock, told, alert };
}

const refused = (target: string) => new GatewayError("upstream_auth", "The upstream refuses the key.", { target });

test("every sink hears of one alert once a minute, for each target", async () => {
  const { clock, told, alert } = rig();
  for (let i = 0; i < 100; i++) alert(refused("a/m"));
  alert(refused("b/m"));
  expect(told).toEqual([
    "log upstream_auth a/m",
    "webhook upstream_auth a/m",
    "log upstream_auth b/m",
    "webhook upstream_auth b/m",
  ]);
  await clock.advance(60_000);
  alert(refused("a/m"));
  expect(told).toHaveLength(6);
});

test("the gateway's own failures are told each time", () => {
  const { told, alert } = rig();
  for (let i = 0; i < 3; i++) alert(new GatewayError("internal_error", "The gateway failed."));
  expect(told).toHaveLength(6);
});

test("what is remembered is bounded", () => {
  const { told, alert } = rig();
  for (let i = 0; i < 2_000; i++) alert(refused(`up/${i}`));
  expect(told).toHaveLength(4_000);
});
