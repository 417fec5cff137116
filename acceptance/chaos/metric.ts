/** What a gateway's metric `llm_router_<name>` says now. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^llm_router_${name} (\\S+)`, "m").exec(text)?.[1]);
}
