import type { Socket } from "bun";
import { readScript, type Script } from "./stream-script.ts";

/** Milliseconds between two chunks of one stream. */
const paceMs = 100;
/** Streams are spread over so many moments of each pace. */
const phases = 20;

interface Stream {
  readonly socket: Socket<Connection>;
  readonly script: Script;
  next: number;
  over: boolean;
}

interface Connection {
  buffer: string;
  stream: Stream | undefined;
}

const head =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
const framed = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const prefix =
  'data: {"id":"chatcmpl-soak","object":"chat.completion.chunk","created":1763600000,"model":"soak","choices":[{"index":0,"delta":';
const chunk = (delta: string, finish = "null"): string => `${prefix}${delta},"finish_reason":${finish}}]}\n\n`;
const word = (index: number): string => framed(chunk(`{"content":"${index} "}`));
const ending = (count: number): string =>
  framed(
    `${chunk("{}", '"stop"')}data: {"id":"chatcmpl-soak","object":"chat.completion.chunk","created":1763600000,"model":"soak","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":${count},"total_tokens":${20 + count}}}\n\ndata: [DONE]\n\n`,
  ) + "0\r\n\r\n";
const json = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

const stats = { opened: 0, ended: 0, left: 0 };
const turns: Set<Stream>[] = Array.from({ length: phases }, () => new Set());
let turn = 0;
let spread = 0;

/** Sends the next chunk of a stream, or its end. */
function step(stream: Stream, turnSet: Set<Stream>): void {
  const { socket, script } = stream;
  const index = stream.next++;
  const isFate = script.fate !== "whole" && index >= script.at;
  if (!isFate && index < script.chunks) {
    socket.write(word(index));
    return;
  }
  if (isFate && script.fate === "stall") return;
  turnSet.delete(stream);
  stream.over = true;
  stats.ended++;
  if (isFate && script.fate === "cut") socket.terminate();
  else if (isFate && script.fate === "error")
    socket.write(
      `${framed('data: {"error":{"message":"engine died","type":"server_error","code":500}}\n\n')}0\r\n\r\n`,
    );
  else if (isFate) socket.write("0\r\n\r\n");
  else socket.write(ending(script.chunks));
}

setInterval(() => {
  turn = (turn + 1) % phases;
  const now = turns[turn];
  if (now !== undefined) for (const stream of now) step(stream, now);
}, paceMs / phases);

function answer(socket: Socket<Connection>, path: string, body: string): void {
  if (path === "/stats") {
    const open = turns.reduce((sum, set) => sum + set.size, 0);
    socket.write(json("200 OK", JSON.stringify({ ...stats, open })));
    return;
  }
  if (path !== "/v1/chat/completions") {
    socket.write(json("200 OK", '{"object":"list","data":[{"id":"soak","object":"model","owned_by":"vllm"}]}'));
    return;
  }
  const script = readScript(body);
  if (script.fate === "refused") {
    socket.write(json("503 Service Unavailable", '{"error":{"message":"busy","type":"overloaded_error"}}'));
    return;
  }
  stats.opened++;
  const stream: Stream = { socket, script, next: 0, over: false };
  socket.data.stream = stream;
  socket.write(head + framed(chunk('{"role":"assistant","content":""}')));
  spread = (spread + 1) % phases;
  turns[spread]?.add(stream);
}

const server = Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  socket: {
    open(socket) {
      socket.data = { buffer: "", stream: undefined };
    },
    data(socket, bytes) {
      const { data } = socket;
      data.buffer += bytes.toString("latin1");
      for (;;) {
        const end = data.buffer.indexOf("\r\n\r\n");
        if (end === -1) return;
        const top = data.buffer.slice(0, end);
        const length = Number(/content-length: *(\d+)/i.exec(top)?.[1] ?? 0);
        if (data.buffer.length < end + 4 + length) return;
        const body = data.buffer.slice(end + 4, end + 4 + length);
        data.buffer = data.buffer.slice(end + 4 + length);
        answer(socket, top.split(" ", 2)[1] ?? "/", body);
      }
    },
    close(socket) {
      const { stream } = socket.data;
      if (stream === undefined || stream.over) return;
      stats.left++;
      for (const set of turns) set.delete(stream);
    },
    error() {},
  },
});

console.log(JSON.stringify({ url: `http://127.0.0.1:${server.port}`, port: server.port, pid: process.pid }));
