import { expect, test } from "bun:test";
import { upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock, settle } from "../../test/fixtures/fake-clock.ts";
import { answer, hang, refuse, type Script, ScriptedTransport } from "../../test/fixtures/scripted-transport.ts";
import type { EngineLoad } from "./engines/engine.ts";
import { LoadScraper } from "./load-scraper.ts";

const text = (body: string): Response => new Response(body, { headers: { "content-type": "text/plain" } });
const vllmMetrics = (running: number, waiting: number): string =>
  `vllm:num_requests_running{engine="0"} ${running}\nvllm:num_requests_waiting{engine="0"} ${waiting}\n`;

/** Answers by path. */
const byPath =
  (paths: Record<string, Script>): Script =>
  (request, on) =>
    (paths[new URL(request.url).pathname] ?? answer(404, {}))(request, on);

function rig(
  engine: "vllm" | "llamacpp" | "ollama" | undefined,
  script: Script,
  placement: "local" | "cloud" = "local",
) {
  const clock = new FakeClock();
  const transport = new ScriptedTransport({ gpu: [script] });
  const found: { load: EngineLoad; slots: number | undefined }[] = [];
  const scraper = new LoadScraper({
    transport,
    clock,
    fraction: () => 0.5,
    found: (_, load, slots) => void found.push({ load, slots }),
  });
  scraper.start([upstream("gpu", placement, { engine })]);
  const asked = (path: string): number => transport.sent.filter(({ request }) => request.url.endsWith(path)).length;
  return { clock, transport, found, scraper, asked };
}

test("it reads an engine's metrics at once and then every five seconds", async () => {
  let running = 1;
  const metrics: Script = () => text(vllmMetrics(running, 2));
  const { clock, found, scraper } = rig("vllm", byPath({ "/metrics": metrics }));
  await settle();
  expect(found).toEqual([{ load: { running: 1, waiting: 2, kvUsage: undefined }, slots: undefined }]);
  running = 7;
  await clock.advance(4_900);
  expect(found).toHaveLength(1);
  await clock.advance(200);
  expect(found[1]?.load.running).toBe(7);
  scraper.stop();
});

test("it asks an engine for its slots, and again after a minute", async () => {
  let slots = 4;
  const props: Script = () => Response.json({ total_slots: slots });
  const metrics: Script = () => text("llamacpp:requests_processing 3\n");
  const { clock, found, scraper, asked } = rig("llamacpp", byPath({ "/props": props, "/metrics": metrics }));
  await settle();
  expect(found[0]).toEqual({ load: { running: 3, waiting: undefined, kvUsage: undefined }, slots: 4 });
  slots = 8;
  await clock.advance(30_000);
  expect(asked("/props")).toBe(1);
  await clock.advance(40_000);
  expect(found.at(-1)?.slots).toBe(8);
  scraper.stop();
});

test("an engine that does not tell its slots is not asked for them again", async () => {
  const { clock, scraper, asked } = rig("vllm", byPath({ "/metrics": () => text(vllmMetrics(1, 0)) }));
  await clock.advance(200_000);
  expect(asked("/version")).toBe(1);
  expect(asked("/metrics")).toBeGreaterThan(30);
  scraper.stop();
});

test("a scrape that is refused, hangs, fails or says nothing reports nothing, and the next one comes all the same", async () => {
  for (const metrics of [refuse, hang, answer(501, { error: "off" }), (() => text("# empty\n")) as Script]) {
    let isBack = false;
    const script: Script = (request, on) => (isBack ? text(vllmMetrics(1, 0)) : metrics(request, on));
    const { clock, found, scraper } = rig("vllm", byPath({ "/metrics": script }));
    await clock.advance(20_000);
    expect(found).toEqual([]);
    isBack = true;
    await clock.advance(10_000);
    expect(found.length).toBeGreaterThan(0);
    scraper.stop();
  }
});

test("cloud upstreams, and engines without metrics, are left alone", async () => {
  for (const [engine, placement] of [
    ["vllm", "cloud"],
    ["ollama", "local"],
    [undefined, "local"],
  ] as const) {
    const { clock, transport } = rig(engine, refuse, placement);
    await clock.advance(20_000);
    expect(transport.sent).toEqual([]);
    expect(clock.waiting).toBe(0);
  }
});

test("when it is stopped it leaves no timer, no request and no later report behind", async () => {
  const { clock, found, scraper } = rig("vllm", hang);
  await settle();
  scraper.stop();
  await settle();
  expect(clock.waiting).toBe(0);

  const next = rig("vllm", byPath({ "/metrics": () => text(vllmMetrics(1, 0)) }));
  await settle();
  next.scraper.stop();
  await next.clock.advance(60_000);
  expect(next.found).toHaveLength(1);
  expect(next.clock.waiting).toBe(0);
  expect(found).toEqual([]);
});
