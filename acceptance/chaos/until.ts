/** Resolves when `holds` does; looks again after a moment. Rejects at the deadline with what was waited for. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    if (
      await Promise.resolve()
        .then(holds)
        .catch(() => false)
    )
      return;
    if (performance.now() > endMs) throw new Error(`${timeoutMs} ms passed while waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
