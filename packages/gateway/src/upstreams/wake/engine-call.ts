import { authHeaders } from "../auth/auth-headers.ts";
import { hookFault } from "./hook-fault.ts";
import type { HookCall } from "./wake-hook.ts";

/** POSTs to a path of the deployment's own server. @throws GatewayError */
export async function engineCall(path: string, body: unknown, { target, transport, signal }: HookCall): Promise<void> {
  const { upstream } = target;
  const response = await transport
    .send(upstream, {
      method: "POST",
      url: new URL(path, upstream.baseUrl).href,
      headers: {
        "content-type": "application/json",
        "user-agent": "fairlead",
        ...upstream.headers,
        ...authHeaders(upstream.auth),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    })
    .catch((thrown: unknown) => {
      throw hookFault(target.id, `\`POST ${path}\` got no answer`, thrown);
    });
  await response.body?.cancel();
  if (response.ok) return;
  throw hookFault(target.id, `\`POST ${path}\` was answered with status ${response.status}`);
}
