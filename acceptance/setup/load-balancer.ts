import { connect, createServer, type Socket } from "node:net";
import { afterAll } from "./after-all.ts";

export interface LoadBalancer {
  readonly url: string;
  /** Puts another backend in place of the one at this position; it gets connections once it is ready. */
  replace(position: number, url: string): void;
  /** Connections that went to each position. */
  readonly served: readonly number[];
}

const probeMs = 100;

interface Backend {
  url: string;
  ready: boolean;
}

/** As a Kubernetes Service does: connections go to backends that say they are ready, and stay where they went. */
export async function startLoadBalancer(urls: readonly string[]): Promise<LoadBalancer> {
  const backends: Backend[] = urls.map((url) => ({ url, ready: true }));
  const served = urls.map(() => 0);
  const sockets = new Set<Socket>();
  let turn = 0;
  const probe = async (backend: Backend): Promise<void> => {
    const { url } = backend;
    const ready = await fetch(`${url}/health/ready`, { headers: { connection: "close" } }).then(
      ({ status }) => status === 200,
      () => false,
    );
    if (backend.url === url) backend.ready = ready;
  };
  const timer = setInterval(() => void Promise.all(backends.map(probe)), probeMs);
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const ready = backends.flatMap((backend, position) => (backend.ready ? [position] : []));
    const position = ready[turn++ % Math.max(1, ready.length)];
    const { url } = backends[position ?? 0] ?? { url: "" };
    if (position === undefined) return client.destroy();
    served[position] = (served[position] ?? 0) + 1;
    const { hostname, port } = new URL(url);
    const upstream = connect({ host: hostname, port: Number(port) });
    for (const socket of [client, upstream]) keep(socket.setNoDelay(true));
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => {
    clearInterval(timer);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    served,
    replace(position, url) {
      backends[position] = { url, ready: false };
    },
  };
}
