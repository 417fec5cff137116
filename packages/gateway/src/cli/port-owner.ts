import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Inodes of sockets that listen on a port, from the kernel's tables; empty where there are none. */
function listeningInodes(port: number): Set<string> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    try {
      for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
        const fields = line.trim().split(/\s+/);
        if (fields[1]?.endsWith(`:${hexPort}`) && fields[3] === "0A" && fields[9] !== undefined) inodes.add(fields[9]);
      }
    } catch {
      // Not Linux, or not allowed.
    }
  }
  return inodes;
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
      try {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${descriptor}`))?.[1];
        return inode !== undefined && inodes.has(inode);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}

function processOf(port: number): string | undefined {
  const inodes = listeningInodes(port);
  if (inodes.size === 0) return undefined;
  const pid = readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && holds(entry, inodes));
  if (pid === undefined) return undefined;
  const command = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  return `process ${pid} (${command})`;
}

/** Says who listens on a busy port, as far as it can be told: another Fairlead, or the process's name. */
export async function portOwner(host: string, port: number): Promise<string> {
  const owner = processOf(port) ?? "another program";
  try {
    const response = await fetch(`http://${host}:${port}/health/upstreams`, {
      signal: AbortSignal.timeout(500),
      redirect: "manual",
      proxy: false,
    } as unknown as RequestInit);
    const body = (await response.json()) as { healthy_clusters?: unknown };
    if (typeof body.healthy_clusters === "number") return `another Fairlead gateway, ${owner}`;
  } catch {
    // Whoever it is does not speak our API.
  }
  return owner;
}
