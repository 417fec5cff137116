import { beforeAll, describe, expect, test } from "vitest";
import { type ChatBody, postChat, readError, say } from "../setup/clients.ts";
import { type Rig, startRig } from "../setup/rig.ts";

let rig: Rig;
let url: string;

beforeAll(async () => {
  rig = await startRig();
  url = rig.gateway.url;
});

const messages = [{ role: "user", content: "Hi" }];
const image = (url: unknown) => [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];
const tool = (definition: unknown) => ({ messages, tools: [{ type: "function", function: definition }] });

interface Refused {
  readonly what: string;
  readonly body: ChatBody | string;
  readonly param?: string;
  readonly code?: string;
}

const refused: readonly Refused[] = [
  { what: "broken JSON", body: '{"model":"auto","messages":[', code: "invalid_json" },
  { what: "no body", body: "", code: "invalid_json" },
  { what: "two documents", body: "{}{}", code: "invalid_json" },
  { what: "an array", body: "[]", code: "invalid_request" },
  { what: "null", body: "null", code: "invalid_request" },
  { what: "a bare string", body: '"hello"', code: "invalid_request" },
  { what: "JSON nested 100,000 deep", body: `{"messages":${"[".repeat(100_000)}${"]".repeat(100_000)}}` },
  { what: "no messages", body: {}, param: "messages" },
  { what: "messages of the wrong type", body: { messages: "Hi" }, param: "messages" },
  { what: "an empty list of messages", body: { messages: [] }, param: "messages" },
  { what: "a message that is null", body: { messages: [null] }, param: "messages[0]" },
  { what: "a message without a role", body: { messages: [{ content: "Hi" }] }, param: "messages[0].role" },
  { what: "an unknown role", body: { messages: [{ role: "wizard", content: "Hi" }] }, param: "messages[0].role" },
  {
    what: "content that is a number",
    body: { messages: [{ role: "user", content: 5 }] },
    param: "messages[0].content",
  },
  { what: "a model that is a number", body: { model: 7, messages }, param: "model" },
  { what: "`stream` as a word", body: { messages, stream: "yes" }, param: "stream" },
  { what: "a negative max_tokens", body: { messages, max_tokens: -1 }, param: "max_tokens" },
  { what: "max_tokens of zero", body: { messages, max_tokens: 0 }, param: "max_tokens" },
  { what: "a fraction as max_tokens", body: { messages, max_tokens: 1.5 }, param: "max_tokens" },
  {
    what: "an absurd max_tokens",
    body: `{"messages":${JSON.stringify(messages)},"max_tokens":1e300}`,
    param: "max_tokens",
  },
  { what: "a temperature of 5", body: { messages, temperature: 5 }, param: "temperature" },
  {
    what: "an infinite temperature",
    body: `{"messages":${JSON.stringify(messages)},"temperature":1e999}`,
    param: "temperature",
  },
  { what: "top_p of -1", body: { messages, top_p: -1 }, param: "top_p" },
  { what: "n of 0", body: { messages, n: 0 }, param: "n" },
  { what: "n of a million", body: { messages, n: 1_000_000 }, param: "n" },
  { what: "stop as a number", body: { messages, stop: 4 }, param: "stop" },
  { what: "tools that are no list", body: { messages, tools: {} }, param: "tools" },
  { what: "a tool without a name", body: tool({ parameters: { type: "object" } }), param: "tools[0].function.name" },
  {
    what: "a tool whose schema is no object",
    body: tool({ name: "f", parameters: { type: "string" } }),
    param: "tools[0].function.parameters.type",
  },
  {
    what: "a tool whose schema is a string",
    body: tool({ name: "f", parameters: "object" }),
    param: "tools[0].function.parameters",
  },
  {
    what: "a choice of a tool that is not there",
    body: { ...tool({ name: "f" }), tool_choice: { type: "function", function: { name: "g" } } },
    param: "tool_choice.function.name",
  },
  {
    what: "an image address that is none",
    body: { messages: image("not a url") },
    param: "messages[0].content[0].image_url.url",
  },
  {
    what: "an image address of a file",
    body: { messages: image("file:///etc/passwd") },
    param: "messages[0].content[0].image_url.url",
  },
  {
    what: "an image without an address",
    body: { messages: image(undefined) },
    param: "messages[0].content[0].image_url.url",
  },
  {
    what: "an unknown response format",
    body: { messages, response_format: { type: "xml" } },
    param: "response_format.type",
  },
  {
    what: "a JSON schema without its schema",
    body: { messages, response_format: { type: "json_schema" } },
    param: "response_format.json_schema",
  },
  { what: "an unknown strategy", body: { messages, routing: { strategy: "fastest" } }, param: "routing.strategy" },
  { what: "an unknown wish", body: { messages, routing: { wish: 1 } }, param: "routing.wish" },
];

describe.each(["auto", "claude-sonnet-4-6"])("refused with 400 when asked for %s", (model) => {
  test.each(refused)("$what", async ({ body, param, code }) => {
    const sent = typeof body === "string" || "model" in body ? body : { model, ...body };
    const response = await postChat(url, sent);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect(response.headers.get("x-should-retry")).toBe("false");
    const error = await readError(response);
    expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
    expect(error.type).toBe("invalid_request_error");
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.message).not.toMatch(/\bat .+:\d+:\d+|node_modules|\/src\//);
    if (param !== undefined) expect(error.param).toBe(param);
    if (code !== undefined) expect(error.code).toBe(code);
  });
});

test("no refused request reached any upstream", async () => {
  const hits = await Promise.all([rig.local, rig.anthropic, rig.openai].map((simulator) => simulator.generations()));
  expect(hits.flat()).toEqual([]);
});

describe("accepted although unusual", () => {
  const unusual: readonly [string, ChatBody][] = [
    ["null for what is optional", say("Hi", { stop: null, tools: null, max_tokens: null, stream: null })],
    ["a fragment of an emoji", say("half a pair: \ud83d")],
    ["an empty user message", say("")],
    ["content as parts", { messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }] }],
    ["an unknown member", say("Hi", { my_own_member: 1 })],
    ["a member called __proto__", { ...say("Hi"), ...(JSON.parse('{"__proto__":{"polluted":true}}') as ChatBody) }],
    ["the old functions", { messages, functions: [{ name: "f", parameters: { type: "object" } }] }],
  ];
  test.each(unusual)("%s", async (_, body) => {
    const response = await postChat(url, body);
    expect(response.status, await response.text()).toBe(200);
  });

  test("a body without a content type", async () => {
    const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(say("Hi")) });
    expect(response.status).toBe(200);
  });
});

describe("routes", () => {
  test("an unknown path is a 404 in OpenAI's shape", async () => {
    const response = await fetch(`${url}/v1/nothing-here`);
    expect(response.status).toBe(404);
    expect(await readError(response)).toMatchObject({ type: "invalid_request_error", code: "not_found" });
  });

  test.each(["GET", "PUT", "DELETE", "PATCH"])("%s on the chat path is a 405", async (method) => {
    const response = await fetch(`${url}/v1/chat/completions`, { method });
    expect(response.status).toBe(405);
    expect(await readError(response)).toMatchObject({ code: "method_not_allowed" });
  });

  test("a 405 names the allowed method, as HTTP demands", async () => {
    const response = await fetch(`${url}/v1/chat/completions`);
    expect(response.headers.get("allow")).toBe("POST");
  });

  test("HEAD on the health path is answered without a body", async () => {
    const response = await fetch(`${url}/health`, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test("a huge model name is refused, in bounded size", async () => {
    const response = await postChat(url, say("Hi", { model: "m".repeat(20_000) }));
    expect(response.status).toBe(400);
    expect(await readError(response)).toMatchObject({ param: "model", code: "invalid_request" });
  });

  test("a name with line breaks or other letters cannot inject a header", async () => {
    const response = await postChat(url, say("Hi", { model: "evil\r\nx-injected: yes\u4e16" }));
    expect(response.status).toBe(200);
    expect(response.headers.get("x-injected")).toBeNull();
    expect(response.headers.get("x-router-reason")).toBe("unknown_model");
  });
});
