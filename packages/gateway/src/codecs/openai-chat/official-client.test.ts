import { describe, expect, test } from "bun:test";
import { ChatCompletionStream } from "openai/lib/ChatCompletionStream";
import { readVectors } from "../../../test/vector.ts";
import type { JsonObject } from "../../lib/json.ts";
import { emptyReplyState } from "../codec.ts";
import { protocols } from "../registry.ts";
import { openAiStreamEncoder } from "./stream-encoder.ts";

interface Given {
  readonly events: readonly JsonObject[];
  readonly state?: JsonObject;
}

/** Streams what a client would get, as the lines the official client reads from a body. */
function clientBody(given: Given): string[] {
  const decoder = protocols["anthropic-messages"].streamDecoder(emptyReplyState);
  const encoder = openAiStreamEncoder({ id: "chatcmpl-1", createdAt: 1, model: "m", includeUsage: true });
  const sent = given.events.filter((event) => event["$eof"] === undefined && event["$raw"] === undefined);
  const events = [
    ...sent.flatMap((event) => [...decoder.push({ event: undefined, data: JSON.stringify(event) })]),
    ...decoder.end(),
  ];
  const frames = events
    .map((event) => encoder.encode(event))
    .join("")
    .split("\n\n");
  return frames.filter((frame) => frame.startsWith("data: {")).map((frame) => `${frame.slice(6)}\n`);
}

describe("the official client's stream reader", async () => {
  const vectors = [
    ...(await readVectors<Given, unknown>("anthropic-to-openai-stream")),
    ...(await readVectors<Given, unknown>("anthropic-to-openai-stream-more")),
  ];
  for (const { id, title, given } of vectors) {
    test(`${id} ${title}`, async () => {
      const lines = clientBody(given);
      const isBroken = lines.at(-1)?.startsWith('{"error"') === true;
      const body = new Blob(isBroken ? lines.slice(0, -1) : lines).stream();
      const stream = ChatCompletionStream.fromReadableStream(body);
      if (isBroken) {
        // Without its error frame the answer has to be seen as incomplete.
        await expect(stream.finalChatCompletion()).rejects.toThrow();
        return;
      }
      const completion = await stream.finalChatCompletion();
      const choice = completion.choices[0];
      expect(choice?.finish_reason).toBeString();
      expect(completion.usage?.prompt_tokens).toBe(10);
      for (const call of choice?.message.tool_calls ?? []) {
        if (choice?.finish_reason === "tool_calls" && call.type === "function") JSON.parse(call.function.arguments);
      }
    });
  }
});
