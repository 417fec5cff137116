import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const source = join(import.meta.dir, "../src");

/** Lower may never import higher; folders of one layer are strangers. Files at the top are the outermost layer. */
const layers: Readonly<Record<string, number>> = {
  lib: 0,
  core: 1,
  framing: 2,
  ledger: 2,
  keys: 2,
  telemetry: 2,
  codecs: 3,
  upstreams: 3,
  routing: 3,
  policy: 3,
  pipeline: 4,
  server: 5,
  admin: 5,
  stores: 5,
  sinks: 5,
  config: 5,
  "build-gateway.ts": 6,
  cli: 7,
  "main.ts": 8,
};

/** `server` shows what the metrics sink counted; nothing else crosses between neighbours. */
const allowedNeighbours = new Set(["server→sinks"]);

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = (readdirSync(source, { recursive: true }) as string[]).filter(
  (file) => file.endsWith(".ts") && !file.endsWith(".test.ts"),
);
const read = (file: string): string => readFileSync(join(source, file), "utf8");
const folder = (file: string): string => file.split("/")[0] ?? file;
const specifiers = (file: string): string[] =>
  [...read(file).matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] ?? "");
const imports: Import[] = files.flatMap((file) =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => ({ from: file, to: relative(source, resolve(source, dirname(file), specifier)) })),
);

test("every folder has a layer, so that a reader knows what it may see", () => {
  expect(files.map(folder).filter((name) => layers[name] === undefined)).toEqual([]);
});

test("imports go to a strictly lower layer: what is deep stays free of what is near the edge", () => {
  const wrong = imports.filter(({ from, to }) => {
    if (folder(from) === folder(to) || allowedNeighbours.has(`${folder(from)}→${folder(to)}`)) return false;
    return (layers[folder(to)] ?? 0) >= (layers[folder(from)] ?? 0);
  });
  expect(wrong).toEqual([]);
});

test("no two files import each other in a circle: a cycle hides who depends on whom", () => {
  const next = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const cycles: string[] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path, file].join(" → "));
    if (done.has(file) || path.includes(file)) return;
    for (const { to } of next.get(file) ?? []) walk(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
  expect(cycles).toEqual([]);
});

test("third-party code stays at the edge, where it can be replaced", () => {
  const edge = /^(upstreams\/(transport|auth)|stores|sinks|server|admin|config|cli|main\.ts|build-gateway\.ts)/;
  const foreign = files.flatMap((file) =>
    specifiers(file)
      .filter((name) => !name.startsWith(".") && !name.startsWith("node:") && !name.startsWith("@fairlead/contract/"))
      .filter(() => !edge.test(file))
      .map((name) => `${file} imports ${name}`),
  );
  expect(foreign).toEqual([]);
});

test("the environment is read in config and the process's entry only: everything else is told", () => {
  const readers = files.filter((file) => /process\.env|Bun\.env/.test(read(file)));
  expect(readers.filter((file) => !/^(config\/|main\.ts)/.test(file))).toEqual([]);
});

test("clock and randomness are passed in, so that tests can set them", () => {
  const inner = files.filter((file) => (layers[folder(file)] ?? 9) >= 1 && (layers[folder(file)] ?? 9) <= 4);
  const wrong = inner.filter((file) =>
    /Date\.now\(|Math\.random\(|randomUUID\(|performance\.now\(|setTimeout\(/.test(read(file)),
  );
  expect(wrong).toEqual([]);
});

test("vendors are named in codecs and upstreams only: nowhere else may a company be a special case", () => {
  const vendor = /\b(anthropic|openai|gemini|claude|gpt-|mistral|vllm|llama\.?cpp|ollama|bedrock|vertex)\b/i;
  const wrong = files
    .filter((file) => !/^(codecs|upstreams)\//.test(file))
    .flatMap((file) =>
      read(file)
        .split("\n")
        .filter((line) => vendor.test(line.replace(/\/\/.*|^\s*(\/?\*).*/, "")))
        // Names of wire formats are not vendors, nor is the one path of our own API that carries one.
        .filter((line) => vendor.test(line.replaceAll(/openai-chat|anthropic-messages/g, "")))
        .map((line) => `${file}: ${line.trim()}`),
    );
  expect(wrong).toEqual([]);
});

test("no file has a name that says nothing: such a file is where everything ends up", () => {
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|shared|misc|types|index)\.ts$/.test(file))).toEqual([]);
});

test("the runtime's traps stay unused: its stand-in for undici and streams without back-pressure", () => {
  const wrong = files.filter((file) => /from "undici"|type: "(direct|bytes)"/.test(read(file)));
  expect(wrong).toEqual([]);
});
