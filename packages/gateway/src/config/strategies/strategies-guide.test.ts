import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  builtInStrategies,
  modalities,
  orderNames,
  signalNames,
  strategyAliases,
  taskKinds,
} from "@fairlead/contract/routing-names";
import { parseConfig } from "../load-config.ts";
import { resolveCatalogue } from "../resolve-catalogue.ts";
import { factSchema } from "./fact-schema.ts";
import { listReferences } from "./target-lists.ts";

const guide = readFileSync(new URL("../../../../../docs/guides/strategies.md", import.meta.url), "utf8");
const quoted = new Set([...guide.matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text));

test("the guide names every fact, strategy, order, task, signal and list, and no fact that is none", () => {
  const facts = Object.entries(factSchema).flatMap(([group, fields]) =>
    Object.keys(fields).map((field) => `${group}.${field}`),
  );
  const names = [
    ...facts,
    ...builtInStrategies,
    ...Object.keys(strategyAliases),
    ...orderNames,
    ...taskKinds,
    ...signalNames,
    ...modalities,
    ...Object.keys(listReferences),
  ];
  expect(names.filter((name) => !quoted.has(name))).toEqual([]);
  const claimed = [...quoted].filter((text) => /^(request|key|local|cloud|now|target)\.[A-Za-z0-9]+$/.test(text));
  expect(claimed.filter((text) => !facts.includes(text))).toEqual([]);
});

test("the guide's examples load", () => {
  const blocks = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = ""]) => text);
  expect(blocks.length).toBeGreaterThan(1);
  const upstreams = `upstreams:
  v: { preset: vllm, models: [{ id: m }] }
  c: { preset: anthropic, auth: { type: header, name: x-api-key, key: "\${KEY}" } }
`;
  for (const block of blocks) {
    const { config, source } = parseConfig(upstreams + block, "guide.yaml", { KEY: "fake" });
    expect(resolveCatalogue(config, { source, env: { KEY: "fake" } }).warnings).toEqual([]);
  }
});
