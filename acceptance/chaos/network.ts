import { execFileSync } from "node:child_process";
import type { Stage } from "./stage.ts";

const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: "pipe" });

/** A network of its own, reached through one link that can be cut. */
export interface Network {
  /** Of this machine inside it. */
  readonly address: string;
  /** Puts a command inside. */
  command(...command: string[]): [string, ...string[]];
  /** Packets vanish both ways; nobody is told. */
  cut(): void;
  heal(): void;
}

let networks = 0;

/** Makes a network namespace; it is gone when the stage closes. */
export function makeNetwork(stage: Stage): Network {
  const number = networks++;
  const name = `fl${process.pid % 100_000}x${number}`;
  const outside = `${name}o`;
  // A range for tests of devices (RFC 2544), which no machine routes; a process takes its own part of it.
  const net = `198.18.${process.pid % 250}.${(number % 60) * 4}`.split(".").map(Number);
  const at = (host: number): string => [...net.slice(0, 3), (net[3] ?? 0) + host].join(".");
  const remove = (): void => {
    process.off("exit", remove);
    try {
      ip("netns", "del", name);
      ip("link", "del", outside);
    } catch {
      // The link goes with its other end.
    }
  };
  process.once("exit", remove);
  stage.onEnd(remove);
  ip("netns", "add", name);
  ip("link", "add", outside, "type", "veth", "peer", "name", `${name}i`, "netns", name);
  ip("addr", "add", `${at(1)}/30`, "dev", outside);
  ip("link", "set", outside, "up");
  ip("-n", name, "addr", "add", `${at(2)}/30`, "dev", `${name}i`);
  ip("-n", name, "link", "set", `${name}i`, "up");
  ip("-n", name, "link", "set", "lo", "up");
  return {
    address: at(2),
    command: (...command) => ["ip", "netns", "exec", name, ...command],
    // The outside stays up, or the kernel would say at once that there is no way.
    cut: () => void ip("-n", name, "link", "set", `${name}i`, "down"),
    heal: () => void ip("-n", name, "link", "set", `${name}i`, "up"),
  };
}

let able: boolean | undefined;

/** Whether this process may make networks. */
export function hasNetworks(): boolean {
  able ??= attempt(() => {
    const name = `fl${process.pid}try`;
    ip("netns", "add", name);
    ip("netns", "del", name);
  });
  return able;
}

let mounts: boolean | undefined;

/** Whether this process may mount a disk of its own in memory. */
export function hasMounts(folder: () => string): boolean {
  mounts ??= attempt(() => {
    const at = folder();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", at], { stdio: "pipe" });
    execFileSync("umount", [at], { stdio: "pipe" });
  });
  return mounts;
}

function attempt(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
