import { isLoopback } from "../../config/check-bind.ts";
import type { Env } from "../../config/interpolate.ts";
import { CommandError } from "../command-error.ts";

export interface TrafficOptions {
  /** A file; `-` for standard input. */
  readonly traffic?: string | undefined;
  readonly trafficUrl?: string | undefined;
  readonly token?: string | undefined;
}

/** Where a gateway has its decisions, for an address without a path. */
const exportPath = "/admin/v1/ledger/export?format=jsonl";

/**
 * Opens recorded decisions as a stream of bytes.
 * @throws CommandError when there is nothing to read
 */
export async function openTraffic(options: TrafficOptions, env: Env): Promise<AsyncIterable<Uint8Array>> {
  const { traffic, trafficUrl } = options;
  if ((traffic === undefined) === (trafficUrl === undefined)) {
    throw new CommandError("Give either --traffic with a file (- for standard input) or --traffic-url.");
  }
  if (trafficUrl !== undefined) return await download(trafficUrl, options.token ?? env["FAIRLEAD_ADMIN_TOKEN"]);
  if (traffic === "-") return Bun.stdin.stream();
  const file = Bun.file(traffic ?? "");
  if (!(await file.exists())) throw new CommandError(`${traffic} does not exist, or is no file.`);
  return file.stream();
}

async function download(text: string, token: string | undefined): Promise<AsyncIterable<Uint8Array>> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CommandError(`--traffic-url is ${JSON.stringify(text)}: expected an absolute http:// or https:// URL.`);
  }
  if (url.pathname === "/" && url.search === "") url.href = new URL(exportPath, url).href;
  let response: Response;
  try {
    response = await fetch(url, {
      headers: token === undefined || token === "" ? {} : { authorization: `Bearer ${token}` },
      // The token goes to nobody but the server that was named.
      redirect: "manual",
      ...(isLoopback(url.hostname) ? { proxy: false } : {}),
    } as BunFetchRequestInit);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : String(thrown);
    throw new CommandError(`${url.origin} does not answer (${code}).`);
  }
  if (response.ok && response.body !== null) return response.body;
  const hint = response.status === 401 ? " Give --token or FAIRLEAD_ADMIN_TOKEN." : "";
  throw new CommandError(`${url.origin}${url.pathname} answered with status ${response.status}.${hint}`);
}
