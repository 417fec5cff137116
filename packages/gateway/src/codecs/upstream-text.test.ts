import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { classifyFailure } from "./classify-failure.ts";
import { hideLiterals } from "./hide-literals.ts";
import { safeUpstreamText } from "./upstream-text.ts";

const refused = (body: unknown, hide?: readonly string[], status = 400) =>
  classifyFailure({
    status,
    headers: new Headers(),
    body: typeof body === "string" ? body : JSON.stringify(body),
    provider: "openai",
    ...(hide !== undefined && { hide }),
  });

describe("an upstream's error", () => {
  const key = "mysecretkey12345";

  test("loses what the caller names, wherever the upstream wrote it", () => {
    const message = `Key ${key} (MySecretKey12345) is bad for vllm.ml.example.org:8000 and vllm.ml.example.org`;
    const hide = [key, "vllm.ml.example.org", "vllm.ml.example.org:8000"];
    for (const body of [{ error: { message } }, message, { detail: message }]) {
      expect(refused(body, hide).message).toBe("Key [redacted] ([redacted]) is bad for [redacted] and [redacted]");
    }
    expect(refused(`<html><title>Denied ${key}</title></html>`, hide).message).toBe("Denied [redacted]");
  });

  test("loses it in the parameter and the capability it names too", () => {
    const named = refused({ error: { message: `Unsupported parameter: ${key}`, param: key } }, [key]);
    const unnamed = refused({ error: { message: `Unsupported parameter: '${key}'` } }, [key]);
    expect(JSON.stringify([named.detail, unnamed.detail, named.message, unnamed.message])).not.toContain(key);
    const shaped = refused({ error: { message: "Unsupported parameter: sk-abcdef123456" } });
    expect(JSON.stringify([shaped.message, shaped.detail])).not.toContain("abcdef123456");
  });

  test("loses it URL-encoded and escaped, and where the text is cut", () => {
    const odd = 'pa/ss"wörd+1';
    const text = [odd, encodeURIComponent(odd), JSON.stringify(odd), "pa\\/ssword"].join(" ");
    expect(hideLiterals(text, [odd, "pa/ssword"])).toBe('[redacted] [redacted] "[redacted]" [redacted]');
    for (const padding of [480, 495, 4080, 4090]) {
      const message = `${"word ".repeat(padding / 5)}${key}`;
      expect(refused({ error: { message } }, [key]).message).not.toContain("myse");
    }
  });

  test("is not blanked by a short text", () => {
    expect(refused({ error: { message: "abc is bad" } }, ["", "abc"]).message).toBe("abc is bad");
    const words = "must be non-empty; ollama runner stopped";
    expect(refused({ error: { message: words } }, ["EMPTY", "ollama"]).message).toBe(words);
  });

  test("loses any text of eight characters or more, and throws for none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 8 }), (literal) => {
        expect(hideLiterals(literal, [literal])).toBe("[redacted]");
        expect(hideLiterals(`(${encodeURIComponent(literal.toWellFormed())})`, [literal])).toBe("([redacted])");
      }),
    );
  });
});

describe("safeUpstreamText", () => {
  test("hides the address of an internal server", () => {
    const internal = [
      "http://vllm.internal.corp:8000",
      "http://VLLM.ml.svc.cluster.local",
      "https://gpu.lan",
      "http://mac.local:11434",
      "http://api.ml.svc:80",
      "https://node-1.internal",
      "http://ollama:11434",
      "http://10.1.2.3:8000",
      "http://[fd00::1]:8000",
      "https://user:pass@example.com",
    ];
    for (const url of internal) {
      expect(safeUpstreamText(`POST ${url}/v1 failed`)).toBe("POST [url]/v1 failed");
      expect(safeUpstreamText(`see ${url}.`)).toBe("see [url].");
    }
    expect(safeUpstreamText("getaddrinfo ENOTFOUND vllm.ml.svc.cluster.local")).toBe("getaddrinfo ENOTFOUND [address]");
    expect(safeUpstreamText("connect vllm.internal.corp:8000, mac.local:11434")).toBe("connect [address], [address]");
  });

  test("keeps public addresses, which tell what to do", () => {
    const text = "See https://platform.openai.com/docs/guides and https://docs.vllm.ai: thread.local, a.corporate";
    expect(safeUpstreamText(text)).toBe(text);
  });
});
