import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";
import type { SelfSigned } from "./self-signed.ts";

/** One call as the API server saw it. */
export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly body: string;
}

export interface ScaledObject {
  annotations: Record<string, string>;
}

/** As much of a cluster's API server as scaling needs: `scale` of workloads and ScaledObjects, with versions and tokens. */
export interface KubernetesApi {
  readonly url: string;
  readonly calls: ApiCall[];
  /** The only token it accepts now. */
  token: string;
  /** Replicas of `<plural>/<name>` in the namespace `models`. */
  readonly replicas: Map<string, number>;
  readonly scaledObjects: Map<string, ScaledObject>;
  /** Called before a change is looked at: what somebody else does at that moment. */
  interfere: (() => void) | undefined;
  /** Called after each change. */
  changed: () => void;
}

const workload = /^\/apis\/apps\/v1\/namespaces\/models\/(deployments|statefulsets)\/([^/]+)\/scale$/;
const scaled = /^\/apis\/keda\.sh\/v1alpha1\/namespaces\/models\/scaledobjects\/([^/]+)$/;

/** Starts one on a free port, with TLS where it is given a certificate. */
export async function startKubernetesApi(tls?: SelfSigned): Promise<KubernetesApi> {
  let version = 1;
  const touch = (): void => void version++;
  const api: KubernetesApi = {
    url: "",
    calls: [],
    token: "token-1",
    replicas: new Map(),
    scaledObjects: new Map(),
    interfere: undefined,
    changed: () => {},
  };
  const refusal = (status: number, reason: string) => ({ status, body: { kind: "Status", status: "Failure", reason } });

  const answer = (method: string, path: string, headers: IncomingMessage["headers"], body: string) => {
    if (headers.authorization !== `Bearer ${api.token}`) return refusal(401, "Unauthorized");
    const patch = method === "PATCH" ? JSON.parse(body) : undefined;
    if (patch !== undefined) {
      if (headers["content-type"] !== "application/merge-patch+json") return refusal(415, "UnsupportedMediaType");
      if (api.interfere !== undefined) {
        api.interfere();
        api.interfere = undefined;
        touch();
      }
      const based = patch.metadata?.resourceVersion;
      if (based !== undefined && based !== String(version)) return refusal(409, "Conflict");
    }
    const [, plural, name] = workload.exec(path) ?? [];
    const key = `${plural}/${name}`;
    if (api.replicas.has(key)) {
      if (patch !== undefined) api.replicas.set(key, patch.spec.replicas);
      if (patch !== undefined) touch();
      const metadata = { name, namespace: "models", resourceVersion: String(version) };
      return { status: 200, body: { kind: "Scale", metadata, spec: { replicas: api.replicas.get(key) } } };
    }
    const object = api.scaledObjects.get(scaled.exec(path)?.[1] ?? "");
    if (object === undefined) return refusal(404, "NotFound");
    for (const [annotation, value] of Object.entries<string | null>(patch?.metadata?.annotations ?? {})) {
      if (value === null) delete object.annotations[annotation];
      else object.annotations[annotation] = value;
    }
    if (patch !== undefined) touch();
    const metadata = { resourceVersion: String(version), annotations: object.annotations };
    return { status: 200, body: { kind: "ScaledObject", metadata } };
  };

  const serve = (req: IncomingMessage, res: ServerResponse): void => {
    let text = "";
    req.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    req.on("end", () => {
      const [method = "", path = ""] = [req.method, req.url];
      const { status, body } = answer(method, path, req.headers, text);
      api.calls.push({ method, path, status, body: text });
      res.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      if (method === "PATCH" && status === 200) api.changed();
    });
  };
  const server =
    tls === undefined ? createHttpServer(serve) : createHttpsServer({ key: tls.key, cert: tls.cert }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(api, { url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}` });
}
