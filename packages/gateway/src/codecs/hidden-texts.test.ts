import { expect, test } from "bun:test";
import type { Upstream } from "../core/deployment.ts";
import { Secret } from "../lib/secret.ts";
import { hiddenTexts } from "./hidden-texts.ts";

const upstream = (more: Partial<Upstream>): Upstream =>
  ({ baseUrl: "http://ollama:11434/v1", auth: { type: "none" }, headers: {}, proxy: undefined, ...more }) as Upstream;

test("an upstream's key, secret headers, logins and hosts are hidden", () => {
  const texts = hiddenTexts(
    upstream({
      baseUrl: "https://us%3Aer:p%40ss@vllm.ml.example.org:8443/v1",
      auth: { type: "bearer", key: new Secret("mysecretkey12345") },
      headers: { "X-Api-Key": "other", authorization: "Basic abcdef", "anthropic-version": "2023-06-01" },
      proxy: "http://proxy.example.org:3128",
    }),
  );
  expect([...texts].sort()).toEqual(
    [
      "mysecretkey12345",
      "other",
      "Basic abcdef",
      "abcdef",
      "us:er",
      "us%3Aer",
      "p@ss",
      "p%40ss",
      "vllm.ml.example.org:8443",
      "vllm.ml.example.org",
      "proxy.example.org:3128",
      "proxy.example.org",
    ].sort(),
  );
});

test("a host's bare name without a dot is a word that messages need", () => {
  expect(hiddenTexts(upstream({}))).toEqual(["ollama:11434"]);
  expect(hiddenTexts(upstream({ baseUrl: "http://ollama/v1" }))).toEqual([]);
  expect(hiddenTexts(upstream({ baseUrl: "no url" }))).toEqual([]);
});
