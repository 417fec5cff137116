import { readdirSync, readFileSync } from "node:fs";

const kilobytes = (pid: number, field: string): number =>
  Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);

/** Megabytes a process holds now, and the most it ever held. */
export const residentMb = (pid: number): number => kilobytes(pid, "VmRSS") / 1024;
export const peakMb = (pid: number): number => kilobytes(pid, "VmHWM") / 1024;

/** Sockets a process has open, those it listens on included. */
export function socketsOf(pid: number): number {
  const links = readdirSync(`/proc/${pid}/fd`);
  return Number(
    Bun.spawnSync(["sh", "-c", `ls -l /proc/${pid}/fd | grep -c socket:`])
      .stdout.toString()
      .trim() || links.length,
  );
}

/** Megabytes a minute by least squares over samples of `[ms, megabytes]`. */
export function slopePerMinute(samples: readonly (readonly [number, number])[]): number {
  const count = samples.length;
  if (count < 2) return 0;
  const meanX = samples.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = samples.reduce((sum, [, y]) => sum + y, 0) / count;
  let above = 0;
  let below = 0;
  for (const [x, y] of samples) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? 0 : (above / below) * 60_000;
}
