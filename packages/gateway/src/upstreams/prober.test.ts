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
