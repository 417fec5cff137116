import { expect, test } from "bun:test";
import { GatewayError } from "../core/errors.ts";
import { classifyErrorObject } from "./classify-failure.ts";
import { hideIn } from "./hide-in.ts";
import { NativeScan } from "./openai-chat/native-scan.ts";

const hide = ["mysecretkey12345", "vllm.ml.example.org:8000", "vllm.ml.example.org"];

test("an error inside a stream loses the upstream's key and host", () => {
  const said = { message: "Bad key mysecretkey12345 at vllm.ml.example.org", param: "mysecretkey12345", code: 400 };
  const fromScan = new NativeScan(false).scan(JSON.stringify({ error: said })).error!;
  for (const error of [fromScan, classifyErrorObject(said)]) {
    const hidden = hideIn(error, hide);
    expect(hidden.message).toBe("Bad key [redacted] at [redacted]");
    expect(hidden.detail).toEqual({ ...error.detail, param: "[redacted]" });
    expect(hidden.code).toBe(error.code);
  }
});

test("a capability named by the upstream is cleaned too", () => {
  const error = classifyErrorObject({ message: "Unsupported parameter: mysecretkey12345", code: 400 });
  expect(JSON.stringify([error.code, hideIn(error, hide).detail])).not.toContain("mysecret");
});

test("a message cut within a key does not show its first part", () => {
  const start = "word ".repeat(97);
  const error = classifyErrorObject({ message: `${start}mysecretkey12345 and more words`, code: 400 });
  expect(error.message).toContain("mysecret");
  expect(hideIn(error, hide).message).toBe(`${start}[redacted]…`);
});

test("an error that holds nothing hidden stays the same object", () => {
  const error = new GatewayError("upstream_error", "The upstream failed to answer…", { param: "model" });
  expect(hideIn(error, hide)).toBe(error);
  expect(hideIn(error, [])).toBe(error);
  expect(hideIn(error, ["", "the"])).toBe(error);
});
