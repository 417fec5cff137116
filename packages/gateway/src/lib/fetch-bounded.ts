const maxBytes = 1_048_576;

/** Fetches a small document: never through the process's proxy, never after a redirect, never more than 1 MiB. */
export async function fetchBounded(url: string, init: RequestInit): Promise<Response> {
  const options: BunFetchRequestInit = { ...init, redirect: "manual", proxy: false };
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error("the document is too large");
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status, headers: response.headers });
}
