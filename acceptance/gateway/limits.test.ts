import { readFileSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { dataLines, postChat, readError, say } from "../setup/clients.ts";
import { RawSocket } from "../setup/raw-socket.ts";
import { testWith } from "../setup/requires.ts";
import { type Rig, startRig } from "../setup/rig.ts";
import { untilUpstream } from "../setup/upstream-states.ts";

const maxBodyBytes = 200_000;
const bodyTimeoutMs = 400;

let rig: Rig;
let url: string;
const sockets: RawSocket[] = [];

beforeAll(async () => {
  rig = await startRig({
    config: { server: { maxBodyBytes, bodyTimeoutMs } },
    localFlags: ["--model", "big@100000000"],
    upstreams: () => ({
      vllm: { models: [{ id: "Qwen/Qwen2.5-7B-Instruct", contextWindow: 32_768 }, { id: "big" }] },
    }),
  });
  url = rig.gateway.url;
});

beforeEach(() => rig.local.reset());

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

function open(): RawSocket {
  const socket = new RawSocket(url);
  sockets.push(socket);
  return socket;
}

const expectAlive = async () => {
  expect((await postChat(url, say("[[sim:tokens=2]]"))).status).toBe(200);
};

describe("the size of a body", () => {
  const sizes = { "just over the limit": maxBodyBytes + 10, "far over the limit": maxBodyBytes * 12 };
  for (const [how, bytes] of Object.entries(sizes)) {
    test(`a body ${how} is refused with 413 in OpenAI's shape`, async () => {
      const response = await postChat(url, say("x".repeat(bytes)));
      expect(response.status).toBe(413);
      expect(await readError(response)).toMatchObject({ type: "invalid_request_error", code: "request_too_large" });
      expect(response.headers.get("x-router-decision-id")).toBeTruthy();
      await expectAlive();
    });

    test(`a chunked body ${how} is refused with 413 as well, before it was read to its end`, async () => {
      const socket = open();
      socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
      const chunk = "x".repeat(50_000);
      for (let sent = 0; sent < bytes; sent += chunk.length) {
        socket.write(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
      }
      const received = await socket.until(/\r\n\r\n.*\}/s);
      expect(received).toMatch(/^HTTP\/1\.1 413/);
      expect(received).toContain("request_too_large");
      await expectAlive();
    });
  }

  test("a body just under the limit is served", async () => {
    const response = await postChat(url, say("word ".repeat((maxBodyBytes - 500) / 5), { model: "big" }));
    expect(response.status).toBe(200);
  });
});

test("a body that drips in is refused with 408", async () => {
  const socket = open();
  socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{");
  const received = await socket.until(/\r\n\r\n.*\}/s);
  expect(received).toMatch(/^HTTP\/1\.1 408/);
  expect(received).toContain("request_timeout");
  await expectAlive();
});

test("a chunked body that drips in is refused with 408", async () => {
  const socket = open();
  socket.write("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n");
  const received = await socket.until(/\r\n\r\n.*\}/s);
  expect(received).toMatch(/^HTTP\/1\.1 408/);
});

describe("what is no HTTP", () => {
  const bytes = {
    "plain garbage": "GARBAGE\r\n\r\n",
    "binary bytes": "\u0000\u0001\u0002\u00ff\r\n\r\n",
    "a TLS greeting": "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
    "a bad length": "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n{}",
    "two lengths": "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\n{}",
    "a length and chunks":
      "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
    "a bad chunk size":
      "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a header without end": `GET /health HTTP/1.1\r\nx: ${"y".repeat(300_000)}`,
  };
  test.each(Object.entries(bytes))("%s does no harm", async (_, text) => {
    const socket = open();
    socket.write(text);
    socket.socket.end();
    const received = await socket.until(/^HTTP\/1\.1 \d{3}/);
    expect(received === "" || /^HTTP\/1\.1 4\d\d/.test(received), received.slice(0, 200)).toBe(true);
    expect(received.match(/HTTP\/1\.1 200/)).toBeNull();
    await expectAlive();
  });
});

test("200 streams at once all come to their own end", async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, i) => {
      const body = say(`[[sim:text=answer number ${i} of many]]`, { model: "local", stream: true });
      const response = await postChat(url, body);
      const lines = dataLines(await response.text());
      const text = lines
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { choices: { delta: { content?: string } }[] }).choices[0]?.delta.content)
        .join("");
      return { status: response.status, done: lines.at(-1), text };
    }),
  );
  for (const [i, answer] of answers.entries()) {
    expect(answer).toEqual({ status: 200, done: "[DONE]", text: `answer number ${i} of many` });
  }
  await untilUpstream(url, "vllm", ({ models }) => models.every((model) => model.in_flight === 0));
});

const linux = process.platform === "linux";

function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) * 1024;
}

testWith("linux", linux, "a client that does not read slows the upstream instead of filling memory", async () => {
  await expectAlive();
  const before = residentBytes(rig.gateway.child.pid);
  const body = JSON.stringify(say("[[sim:tokens=400000]]", { model: "big", stream: true }));
  for (let i = 0; i < 2; i++) {
    const socket = open();
    socket.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await socket.until(/data: /);
    socket.socket.pause();
  }
  // The upstream has stopped when two looks see the same count.
  let last = -1;
  await vi.waitFor(
    async () => {
      const sent = (await rig.local.generations()).reduce((sum, hit) => sum + hit.bytesSent, 0);
      const stalled = sent === last && sent > 0;
      last = sent;
      expect(stalled).toBe(true);
    },
    { interval: 150, timeout: 15_000 },
  );
  const hits = (await rig.local.generations()).filter((hit) => hit.model === "big");
  expect(hits).toHaveLength(2);
  // Whole answers would be some 100 MB each.
  for (const hit of hits) expect(hit.endedAt).toBeNull();
  expect(residentBytes(rig.gateway.child.pid) - before).toBeLessThan(80 * 1024 * 1024);
  for (const socket of sockets.splice(0)) socket.destroy();
  await vi.waitFor(async () => {
    const left = (await rig.local.generations()).filter((hit) => hit.model === "big");
    expect(left.map((hit) => hit.aborted)).toEqual([true, true]);
  });
  await expectAlive();
});
