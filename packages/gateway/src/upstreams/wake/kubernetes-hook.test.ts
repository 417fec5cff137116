import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deployment, upstream } from "../../../test/fixtures/deployments.ts";
import { ScriptedTransport } from "../../../test/fixtures/scripted-transport.ts";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { kubernetesHook } from "./kubernetes-hook.ts";
import type { WakeOf } from "./wake-hook.ts";

const dir = mkdtempSync(join(tmpdir(), "fairlead-wake-"));
const tokenFile = join(dir, "token");
writeFileSync(tokenFile, "the-token\n");

/** What the API server holds and what it was asked. */
let object: JsonObject = {};
let version = 1;
let conflicts = 0;
const patches: unknown[] = [];
const paths: string[] = [];
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    if (request.headers.get("authorization") !== "Bearer the-token") {
      return Response.json({ kind: "Status", reason: "Unauthorized", message: "the-token" }, { status: 401 });
    }
    paths.push(`${request.method} ${new URL(request.url).pathname}`);
    if (request.method === "PATCH") {
      const patch = (await request.json()) as { metadata: { resourceVersion: string } };
      if (conflicts-- > 0 || patch.metadata.resourceVersion !== String(version)) {
        version++;
        return Response.json({ reason: "Conflict" }, { status: 409 });
      }
      patches.push(patch);
    }
    const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
    return Response.json({ ...object, metadata: { ...metadata, resourceVersion: String(version) } });
  },
});
afterAll(() => {
  rmSync(dir, { recursive: true });
  return server.stop(true);
});
beforeEach(() => {
  [object, version, conflicts] = [{}, 1, 0];
  patches.length = 0;
  paths.length = 0;
});

type Hook = WakeOf<"kubernetes">;
const hook = (more: Partial<Hook>): Hook => ({
  type: "kubernetes",
  kind: "Deployment",
  name: "engine",
  namespace: "models",
  replicas: 2,
  apiServer: server.url.href,
  tokenFile,
  patienceMs: 0,
  patienceAloneMs: 0,
  timeoutMs: 1_000,
  retryMs: 1_000,
  keepWarm: [],
  covers: "server",
  startsServer: true,
  sleeps: false,
  ...more,
});
const call = () => ({
  target: deployment(upstream("gpu", "local"), "small"),
  transport: new ScriptedTransport({}),
  signal: AbortSignal.timeout(5_000),
});
const ours = { "autoscaling.keda.sh/force-activation": "true", "fairlead/activated": "true" };

test("workloads are raised to what is wanted, based on what was read", async () => {
  for (const [kind, plural] of [
    ["Deployment", "deployments"],
    ["StatefulSet", "statefulsets"],
  ] as const) {
    object = { spec: { replicas: 0 } };
    patches.length = 0;
    await kubernetesHook.wake(hook({ kind }), call());
    expect(patches).toEqual([{ spec: { replicas: 2 }, metadata: { resourceVersion: "1" } }]);
    expect(paths.at(-1)).toBe(`PATCH /apis/apps/v1/namespaces/models/${plural}/engine/scale`);
  }
});

test("one that has enough already is left alone", async () => {
  object = { spec: { replicas: 3 } };
  await kubernetesHook.wake(hook({}), call());
  expect(patches).toEqual([]);
});

test("a change of somebody else's in between is read again, a few times", async () => {
  object = { spec: { replicas: 0 } };
  conflicts = 2;
  await kubernetesHook.wake(hook({}), call());
  expect(patches).toHaveLength(1);
  conflicts = 10;
  const failed = await kubernetesHook.wake(hook({}), call()).catch(({ message }) => message);
  expect(failed).toContain("the API server answered 409 Conflict");
});

test("a ScaledObject is activated, with a mark, and let go of by that mark only", async () => {
  const keda = hook({ kind: "ScaledObject", replicas: 1 });
  object = { metadata: { annotations: { team: "a" } } };
  await kubernetesHook.wake(keda, call());
  expect(patches).toEqual([{ metadata: { annotations: ours, resourceVersion: "1" } }]);
  expect(paths.at(-1)).toBe("PATCH /apis/keda.sh/v1alpha1/namespaces/models/scaledobjects/engine");
  object = { metadata: { annotations: ours } };
  patches.length = 0;
  await kubernetesHook.wake(keda, call());
  expect(patches).toEqual([]);
  await kubernetesHook.sleep?.(keda, call());
  const none = { "autoscaling.keda.sh/force-activation": null, "fairlead/activated": null };
  expect(patches).toEqual([{ metadata: { annotations: none, resourceVersion: "1" } }]);
  patches.length = 0;
  object = { metadata: { annotations: { "autoscaling.keda.sh/force-activation": "true" } } };
  await kubernetesHook.sleep?.(keda, call());
  await kubernetesHook.sleep?.(hook({}), call());
  expect(patches).toEqual([]);
});

test("what goes wrong is named without the token or the address", async () => {
  const of = (more: Partial<Hook>) => kubernetesHook.wake(hook(more), call()).catch(({ message }) => message);
  const wrong = join(dir, "wrong");
  writeFileSync(wrong, "another-token");
  const texts = await Promise.all([
    of({ tokenFile: wrong }),
    of({ tokenFile: join(dir, "none") }),
    of({ apiServer: "http://127.0.0.1:1" }),
  ]);
  expect(texts).toEqual([
    'The wake hook of `gpu/small` failed: the API server answered 401 Unauthorized for the Deployment "engine".',
    "The wake hook of `gpu/small` failed: the file of the token cannot be read.",
    "The wake hook of `gpu/small` failed: the connection was refused.",
  ]);
});
