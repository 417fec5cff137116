import { expect, test } from "bun:test";
import { upstream } from "../../test/fixtures/deployments.ts";
import { FakeClock } from "../../test/fixtures/fake-clock.ts";
import { answer, hang, refuse, type Script, ScriptedTransport } from "../../test/fixtures/scripted-transport.ts";
import { Prober, probe } from "./prober.ts";

const clock = new FakeClock();
const gpu = (engine: "vllm" | "ollama" | undefined) => upstream("gpu", "local", { engine });
const once = (on: ReturnType<typeof gpu>, ...scripts: Script[]) => {
  const transport = new ScriptedTransport({ gpu: scripts });
  return { transport, result: probe(on, { transport, clock }) };
};
const pathsOf = ({ sent }: ScriptedTransport) => sent.map(({ request }) => new URL(request.url).pathname);

test("a healthy server that sleeps is not ready", async () => {
  const { transport, result } = once(gpu("vllm"), answer(200, {}), answer(200, { is_sleeping: true }));
  expect((await result).health).toBe("loading");
  expect(pathsOf(transport)).toEqual(["/health", "/is_sleeping"]);
});

test("one that has no status page is ready, and is not asked for it again until it was away", async () => {
  const on = gpu("vllm");
  const [up, none] = [answer(200, {}), answer(404, {})];
  expect(pathsOf(await over(once(on, up, none)))).toHaveLength(2);
  expect(pathsOf(await over(once(on, up, none)))).toHaveLength(1);
  expect((await once(on, refuse).result).health).toBe("unreachable");
  expect(pathsOf(await over(once(on, up, none)))).toHaveLength(2);
});

test("health decides alone where it is bad, where the engine is unknown, and where the status page fails", async () => {
  expect((await once(gpu("vllm"), answer(503, {})).result).health).toBe("loading");
  expect((await once(gpu("vllm"), answer(500, {})).result).health).toBe("unreachable");
  expect((await once(gpu("vllm"), answer(401, {}), answer(401, {})).result).health).toBe("ready");
  expect(pathsOf(await over(once(gpu(undefined), answer(200, {}))))).toEqual(["/health"]);
  expect(await once(gpu("ollama"), answer(200, {}), refuse).result).toEqual({ health: "ready", status: undefined });
});

test("a page that hangs ends with the probe's own limit", async () => {
  const { result } = once(gpu("vllm"), answer(200, {}), hang);
  await clock.advance(1_000);
  expect(await result).toEqual({ health: "ready", status: undefined });
});

async function over({ transport, result }: ReturnType<typeof once>): Promise<ScriptedTransport> {
  await result;
  return transport;
}

/** Probes of one cloud upstream, asked every 30 seconds, and when they went out. */
function prober(...scripts: Script[]) {
  const clock = new FakeClock();
  const transport = new ScriptedTransport({ cloud: scripts });
  const health = { path: "/v1/models", intervalMs: 30_000, timeoutMs: 1_000, authenticated: false, headers: {} };
  const found: string[] = [];
  const it = new Prober({
    transport,
    clock,
    fraction: () => 0.5,
    lastServedMs: () => 0,
    found: async (_, { health }) => void found.push(health),
  });
  it.start([upstream("cloud", "cloud", { health })]);
  return { it, clock, found };
}

test("one that is away is asked again soon, then ever more seldom, up to its usual interval", async () => {
  const { it, clock, found } = prober(refuse, refuse, refuse, answer(200, {}));
  await clock.advance(0);
  for (const ms of [1_000, 2_000, 4_000]) {
    const before = found.length;
    await clock.advance(ms - 1);
    expect(found).toHaveLength(before);
    await clock.advance(1);
    expect(found).toHaveLength(before + 1);
  }
  expect(found.at(-1)).toBe("ready");
  await clock.advance(29_999);
  expect(found).toHaveLength(4);
  await clock.advance(1);
  expect(found).toHaveLength(5);
  it.stop();
  expect(clock.waiting).toBe(0);
});

test("one that a request found away is asked soon, once", async () => {
  const { it, clock, found } = prober(answer(200, {}));
  await clock.advance(5_000);
  it.hurry("cloud");
  it.hurry("cloud");
  it.hurry("nobody");
  await clock.advance(1_000);
  expect(found).toHaveLength(2);
  await clock.advance(29_999);
  expect(found).toHaveLength(2);
  it.stop();
});

test("one that is stopped while its finding is told asks no more", async () => {
  const it = new FakeClock();
  const told = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const transport = new ScriptedTransport({ gpu: [answer(200, {})] });
  const prober = new Prober({
    transport,
    clock: it,
    fraction: () => 0.5,
    lastServedMs: () => 0,
    found() {
      begun.resolve();
      return told.promise;
    },
  });
  const health = { path: "/health", intervalMs: 1_000, timeoutMs: 1_000, authenticated: false, headers: {} };
  prober.start([upstream("gpu", "local", { health })]);
  await begun.promise;
  prober.stop();
  told.resolve();
  await it.advance(0);
  expect(it.waiting).toBe(0);
});
