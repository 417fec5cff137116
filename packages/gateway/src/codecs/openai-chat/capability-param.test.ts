import { expect, test } from "bun:test";
import { capabilities } from "@fairlead/contract/names";
import { openAiChatDialect } from "./dialect.ts";

test("every need of a request has the field that brought it", () => {
  const asked = [
    [{ n: 2 }, "n"],
    [{ logprobs: true }, "logprobs"],
    [{ tools: [{ type: "function", function: { name: "f" } }] }, "tools"],
    [{ response_format: { type: "json_schema", json_schema: { name: "j", schema: {} } } }, "response_format"],
    [{ modalities: ["text", "audio"] }, "modalities"],
    [
      {
        messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] }],
      },
      "messages",
    ],
  ] as const;
  for (const [member, param] of asked) {
    const { needs } = openAiChatDialect.decodeRequest({ messages: [{ role: "user", content: "a" }], ...member });
    expect([...needs].map((need) => openAiChatDialect.paramOf(need))).toEqual([param]);
  }
  for (const capability of capabilities) expect(openAiChatDialect.paramOf(capability)).toMatch(/^[a-z_]+$/);
});
