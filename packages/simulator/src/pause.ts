/** Thrown out of any wait when the client has left or the simulator stops. */
export class Gone extends Error {
  override readonly name = "Gone";
}

/** Waits, and throws `Gone` as soon as the signal fires; the timer never outlives the wait. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw new Gone();
  if (ms <= 0) return;
  await new Promise<void>((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(new Gone());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", leave);
      resolve();
    }, ms);
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** Lets the event loop turn once, so that disconnects are seen in long bursts. */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
  if (signal.aborted) throw new Gone();
}
