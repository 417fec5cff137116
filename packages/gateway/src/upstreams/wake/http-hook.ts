import { hookFault } from "./hook-fault.ts";
import { hookFetch } from "./hook-fetch.ts";
import type { WakeHook } from "./wake-hook.ts";

/** A call of the operator's own. */
export const httpHook: WakeHook<"http"> = {
  engine: undefined,
  answersWithinMs: 30_000,
  traits: () => ({ covers: "server", startsServer: true, sleeps: false }),

  async wake({ url, method, headers, key, body }, { target, signal }) {
    const { status } = await hookFetch(target.id, {
      method,
      url,
      headers: {
        ...headers,
        "user-agent": "fairlead",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }),
      },
      body,
      signal,
    });
    if (status < 200 || status > 299) throw hookFault(target.id, `the call was answered with status ${status}`);
  },
};
