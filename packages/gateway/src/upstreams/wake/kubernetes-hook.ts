import { readFile } from "node:fs/promises";
import { isObject, type JsonObject } from "../../lib/json.ts";
import { hookFault } from "./hook-fault.ts";
import { type HookAnswer, hookFetch } from "./hook-fetch.ts";
import type { HookCall, WakeHook, WakeOf } from "./wake-hook.ts";

type KubernetesWake = WakeOf<"kubernetes">;

const account = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Has KEDA treat every trigger as active: it scales up from zero, and further by its triggers as ever. */
const activation = "autoscaling.keda.sh/force-activation";
/** Marks an activation as ours, so that nobody else's is taken away. */
const ours = "fairlead/activated";
/** As long as KEDA itself keeps what nobody asks for, unless told otherwise. */
const keptForMs = 300_000;
/** Somebody else changed the object between our reading and our writing. */
const tries = 3;

/**
 * Scales a workload through the cluster's API server. A Deployment or StatefulSet is only ever raised: who scales it down
 * is somebody else. A ScaledObject belongs to KEDA, which would undo a foreign scale: it is activated while it is needed.
 * @see https://keda.sh/docs/latest/concepts/scaling-deployments/
 */
export const kubernetesHook: WakeHook<"kubernetes"> = {
  engine: undefined,
  answersWithinMs: 30_000,
  traits: ({ kind }) => ({
    covers: "server",
    startsServer: true,
    sleeps: false,
    ...(kind === "ScaledObject" ? { sleepAfterMs: keptForMs } : {}),
  }),

  async wake(wake, call) {
    if (wake.kind === "ScaledObject") await annotate(wake, call, true);
    else await raise(wake, call);
  },

  async sleep(wake, call) {
    if (wake.kind === "ScaledObject") await annotate(wake, call, false);
  },
};

async function raise(wake: KubernetesWake, call: HookCall): Promise<void> {
  const path = `/apis/apps/v1/namespaces/{}/${wake.kind.toLowerCase()}s/${encodeURIComponent(wake.name)}/scale`;
  await change(wake, call, path, (scale) => {
    const spec = isObject(scale["spec"]) ? scale["spec"] : {};
    const replicas = typeof spec["replicas"] === "number" ? spec["replicas"] : 0;
    return replicas >= wake.replicas ? undefined : { spec: { replicas: wake.replicas } };
  });
}

async function annotate(wake: KubernetesWake, call: HookCall, isNeeded: boolean): Promise<void> {
  const path = `/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects/${encodeURIComponent(wake.name)}`;
  await change(wake, call, path, (object) => {
    const { annotations } = isObject(object["metadata"]) ? object["metadata"] : {};
    const now = isObject(annotations) ? annotations : {};
    const isOurs = now[ours] !== undefined;
    if (isNeeded) {
      return now[activation] === "true"
        ? undefined
        : { metadata: { annotations: { [activation]: "true", [ours]: "true" } } };
    }
    return isOurs ? { metadata: { annotations: { [activation]: null, [ours]: null } } } : undefined;
  });
}

/** Reads an object and changes what `edit` returns, unless somebody else changed it meanwhile: then all over again. */
async function change(
  wake: KubernetesWake,
  call: HookCall,
  path: string,
  edit: (object: JsonObject) => JsonObject | undefined,
): Promise<void> {
  const send = await sender(wake, call, path);
  for (let left = tries; ; left--) {
    const object = jsonOf(await send("GET"), wake, call);
    const patch = edit(object);
    if (patch === undefined) return;
    const { resourceVersion } = isObject(object["metadata"]) ? object["metadata"] : {};
    const metadata = isObject(patch["metadata"]) ? patch["metadata"] : {};
    const answer = await send("PATCH", { ...patch, metadata: { ...metadata, resourceVersion } });
    if (answer.status === 409 && left > 1) continue;
    jsonOf(answer, wake, call);
    return;
  }
}

/** Reads token, certificates and namespace anew for each call: tokens rotate. */
async function sender(wake: KubernetesWake, { target, signal }: HookCall, path: string) {
  const read = async (file: string, what: string): Promise<string> => {
    const text = await readFile(file, "utf8").catch((thrown: unknown) => {
      throw hookFault(target.id, `the file of ${what} cannot be read`, thrown);
    });
    return text.trim();
  };
  const isTls = wake.apiServer.startsWith("https:");
  const token = await read(wake.tokenFile, "the token");
  const ca = isTls ? await read(wake.caFile ?? `${account}/ca.crt`, "the certificates") : undefined;
  const namespace = wake.namespace ?? (await read(`${account}/namespace`, "the namespace"));
  const url = `${wake.apiServer.replace(/\/+$/, "")}${path.replace("{}", encodeURIComponent(namespace))}`;
  const headers = { accept: "application/json", "user-agent": "fairlead", authorization: `Bearer ${token}` };
  return (method: "GET" | "PATCH", patch?: JsonObject): Promise<HookAnswer> =>
    hookFetch(target.id, {
      method,
      url,
      headers: patch === undefined ? headers : { ...headers, "content-type": "application/merge-patch+json" },
      body: patch === undefined ? undefined : JSON.stringify(patch),
      ca,
      signal,
    });
}

function jsonOf({ status, text }: HookAnswer, { kind, name }: KubernetesWake, { target }: HookCall): JsonObject {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  if (status === 200 && isObject(json)) return json;
  // One word of a closed list, such as `Forbidden`.
  const reason = isObject(json) && typeof json["reason"] === "string" ? ` ${json["reason"].slice(0, 60)}` : "";
  throw hookFault(target.id, `the API server answered ${status}${reason} for the ${kind} ${JSON.stringify(name)}`);
}
