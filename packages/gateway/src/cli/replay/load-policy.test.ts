import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../../test/fixtures/temp-dir.ts";
import { loadPolicy } from "./load-policy.ts";

const text = `
upstreams:
  vllm: { preset: vllm, baseUrl: "http://127.0.0.1:1/v1", models: [{ id: m }], auth: { type: bearer, key: "\${OWN_KEY}" } }
  openai: { preset: openai }
  named: { preset: anthropic, auth: { type: bearer, key: { env: SOMEWHERE } } }
  stored: { preset: gemini, auth: { type: bearer, key: { store: somewhere } } }
routing:
  residency:
    - { name: topic, when: "headers['x-topic'] == 'hr'", placement: local }
    - { name: team, when: { key.team: hr }, placement: local }
strategies:
  mine:
    rules:
      - { name: a, when: { headers.x-topic: refund }, prefer: { placement: local } }
      - { name: b, prefer: {} }
`;

test("needs none of the keys, and counts the conditions that read headers", () => {
  using dir = tempDir();
  const path = join(dir.path, "policy.yaml");
  writeFileSync(path, text);
  const { resolved, headerConditions } = loadPolicy(path, {});
  expect(resolved.upstreams.map(({ name }) => name)).toEqual(["vllm", "openai", "named", "stored"]);
  expect(headerConditions).toBe(2);
});
