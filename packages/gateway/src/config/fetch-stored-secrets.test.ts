import { expect, test } from "bun:test";
import { fetchStoredSecrets } from "./fetch-stored-secrets.ts";
import { parseConfig } from "./load-config.ts";
import { resolveCatalogue } from "./resolve-catalogue.ts";

const text = `
auth:
  key: { store: clients }
upstreams:
  cloud:
    preset: openai
    auth: { type: bearer, key: { store: provider } }
`;
const known: Readonly<Record<string, string>> = { clients: "the clients' key", provider: "the provider's key" };
const source = (values: Readonly<Record<string, string>>) => ({
  name: "store",
  read: async (name: string) => values[name],
});

const resolve = async (values: Readonly<Record<string, string>>) => {
  const loaded = parseConfig(text, "fairlead.yaml", {});
  return resolveCatalogue(loaded.config, { env: {}, stored: await fetchStoredSecrets(loaded.config, source(values)) });
};

test("a stored credential stands where a config refers to it", async () => {
  const { auth } = await resolve(known);
  expect(auth.key?.reveal()).toBe("the clients' key");
});

test("one that is not stored is a fault that names path and remedy", async () => {
  const error = await resolve({ clients: "x" }).catch((thrown: unknown) => thrown);
  expect(String(error)).toContain("upstreams.cloud.auth.key");
  expect(String(error)).toContain('"provider" does not exist');
  expect(String(error)).toContain("fairlead credentials set provider");
});
