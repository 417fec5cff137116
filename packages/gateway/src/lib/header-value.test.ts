import { expect, test } from "bun:test";
import { headerValue } from "./header-value.ts";

test("printable ASCII stays as it is, up to the limit", () => {
  expect(headerValue("vllm/Qwen 2.5")).toBe("vllm/Qwen 2.5");
  expect(headerValue("abcdef", 3)).toBe("abc");
});

test("line breaks and other alphabets are percent-encoded as UTF-8, also beyond the basic plane", () => {
  expect(headerValue("a\r\nX-Evil: 1")).toBe("a%0D%0AX-Evil: 1");
  expect(headerValue("modèle-😀")).toBe("mod%C3%A8le-%F0%9F%98%80");
});

test("a lone half of a character becomes a question mark, also where the limit makes it one", () => {
  expect(headerValue("a\ud800b")).toBe("a%3Fb");
  expect(headerValue("a😀", 2)).toBe("a%3F");
});
