/** Aborts `child` with the parent's reason when the parent aborts; the returned function takes the listener away. */
export function linkAbort(parent: AbortSignal, child: AbortController): () => void {
  if (parent.aborted) {
    child.abort(parent.reason);
    return () => {};
  }
  const pass = (): void => child.abort(parent.reason);
  parent.addEventListener("abort", pass);
  return () => parent.removeEventListener("abort", pass);
}
