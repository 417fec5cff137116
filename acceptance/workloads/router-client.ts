import OpenAI from "openai";

/** The official client, pointed at the gateway at ROUTER_URL; the key is any unless the gateway wants its own. */
export function routerClient(): OpenAI {
  const url = process.env["ROUTER_URL"] || "http://127.0.0.1:8080";
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env["ROUTER_API_KEY"] || "any-key" });
}
