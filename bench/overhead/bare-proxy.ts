import { type Context, Hono } from "hono";

const [port, burst, paced] = process.argv.slice(2);
const session = new Bun.FetchSession({ keepAlive: { idleTimeout: 30 } });
const app = new Hono();

app.get("/health", (c) => c.json({ status: "ok" }));
async function pass(c: Context, upstream: string | undefined): Promise<Response> {
  const response = await session.fetch(`${upstream}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: await c.req.raw.text(),
    signal: c.req.raw.signal,
  });
  const type = response.headers.get("content-type") ?? "application/json";
  return new Response(response.body, { status: response.status, headers: { "content-type": type } });
}

app.post("/v1/chat/completions", (c) => pass(c, burst));
app.post("/paced/v1/chat/completions", (c) => pass(c, paced));

Bun.serve({ port: Number(port), hostname: "127.0.0.1", idleTimeout: 60, fetch: app.fetch });
