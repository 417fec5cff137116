import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { beforeAll, expect, test } from "vitest";
import { openaiClient } from "../setup/clients.ts";
import { type GatewayProcess, spawnGateway, startGateway } from "../setup/gateway-process.ts";
import { startLoadBalancer } from "../setup/load-balancer.ts";
import { RawSocket } from "../setup/raw-socket.ts";
import { canaryEnv, localModel, startSimulators, type Upstreams, usualConfig } from "../setup/rig.ts";
import { startSteadyLoad } from "../setup/steady-load.ts";
import { tempDir } from "../setup/temp-dir.ts";

let simulators: Upstreams;

beforeAll(async () => {
  simulators = await startSimulators();
});

const start = (dir: string, server: object = {}): Promise<GatewayProcess> =>
  startGateway({ config: { ...usualConfig(simulators), storage: { dir }, server }, env: canaryEnv });

test("restarting every replica in turn under load drops no request", async () => {
  const dirs = [tempDir(), tempDir()];
  const gateways = await Promise.all(dirs.map((dir) => start(dir)));
  const balancer = await startLoadBalancer(gateways.map(({ url }) => url));
  const load = startSteadyLoad(openaiClient(balancer.url, { maxRetries: 0 }), { model: localModel, clients: 8 });
  for (let round = 0; round < 2; round++) {
    for (const [position, dir] of dirs.entries()) {
      expect(await gateways[position]?.stop()).toBe(0);
      const next = await start(dir);
      gateways[position] = next;
      balancer.replace(position, next.url);
      // Connections come only from clients whose replica sent them away.
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
  const { sent, failed } = await load.stop();
  expect(failed).toEqual([]);
  expect(sent).toBeGreaterThan(200);
  expect(Math.min(...balancer.served)).toBeGreaterThan(4);
}, 40_000);

const request = "GET /v1/models HTTP/1.1\r\nHost: gateway\r\n\r\n";

test("while it drains, a kept-alive connection is served once more and told that this was the last time", async () => {
  const gateway = await start(tempDir(), { drainDelayMs: 1_500 });
  const socket = new RawSocket(gateway.url);
  await socket.write(request).until(/"object":"list"/);
  expect(socket.received).not.toMatch(/connection: close/i);
  gateway.child.process.kill("SIGTERM");
  await expect.poll(async () => (await fetch(`${gateway.url}/health/ready`)).status).toBe(503);
  socket.received = "";
  await socket.write(request).until(/"object":"list"/);
  expect(socket.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  await expect.poll(() => socket.socket.destroyed).toBe(true);
  expect(await gateway.child.ended).toBe(0);
});

test("a stream that outlasts the delay leaves its connection one more request, which is told that it is the last", async () => {
  const gateway = await start(tempDir(), { drainDelayMs: 200 });
  const socket = new RawSocket(gateway.url);
  const body = JSON.stringify({
    model: localModel,
    stream: true,
    messages: [{ role: "user", content: "[[sim:tokens=40]][[sim:pace=40]]" }],
  });
  const head = `POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\ncontent-type: application/json\r\n`;
  await socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`).until(/"content":"[^"]/);
  gateway.child.process.kill("SIGTERM");
  await socket.until(/\[DONE\][\s\S]*0\r\n\r\n$/);
  socket.received = "";
  await socket.write(request).until(/"object":"list"/);
  expect(socket.received).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
  expect(await gateway.child.ended).toBe(0);
});

test("a gateway that is told to end while it starts ends at once, also where no signal has a default", async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const storage = { dir: tempDir(), url: `postgres://nobody@127.0.0.1:${port}/none` };
  const connected = once(silent, "connection");
  const auth = { secret: "s".repeat(32) };
  const child = spawnGateway({ config: { ...usualConfig(simulators), auth, storage }, env: canaryEnv });
  await connected;
  child.process.kill("SIGTERM");
  expect(await child.ended).toBe(143);
  silent.close();
});
