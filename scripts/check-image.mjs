// Carries out the Dockerfile's steps in a temporary folder, without a container engine: COPY with .dockerignore, RUN,
// ENV, USER, ENTRYPOINT, CMD and HEALTHCHECK are read from the file. Then runs the resulting tree, not writable and as
// an unprivileged user where this process may do that, and asks it for an answer. No image is built: base images,
// layers and the isolation of a container are not covered.
import { spawn } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { bunEnv, findBun } from "./bun.mjs";

const context = fileURLToPath(new URL("..", import.meta.url));
const startDeadlineMs = 15_000;
const stepDeadlineMs = 120_000;
/** The gateway's own drain time-out is 30 s; an idle one has nothing to wait for. */
const stopDeadlineMs = 5_000;
const apiKey = "check-image-key";

/** Instructions with their arguments; comments are dropped and continued lines joined. */
function readDockerfile(path) {
  const lines = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => !/^\s*(#|$)/.test(line))
    .join("\n")
    .replaceAll(/\\\n\s*/g, " ")
    .split("\n");
  return lines.map((line) => {
    const [, name, rest] = /^\s*(\S+)\s+(.*)$/.exec(line);
    return { name: name.toUpperCase(), rest: rest.trim() };
  });
}

/** Tells whether .dockerignore keeps a path of the context out; the last pattern that matches decides. */
function ignoreRules(path) {
  const rules = readFileSync(path, "utf8")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const pattern = line
        .replace(/^!/, "")
        .split("/")
        .map((part) => (part === "**" ? "**" : part.replaceAll(/[.+^$(){}|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")))
        .join("/")
        .replaceAll("**/", "(?:.*/)?");
      return { keep: line.startsWith("!"), matches: new RegExp(`^${pattern}(?:/.*)?$`) };
    });
  return (file) => rules.findLast(({ matches }) => matches.test(file))?.keep === false;
}

const json = (text) => JSON.parse(text.slice(text.indexOf("[")));
const words = (text) => [...text.matchAll(/(?:[^\s"]|"[^"]*")+/g)].map(([word]) => word.replaceAll('"', ""));

function sh(command, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", command], { cwd, stdio: ["ignore", "ignore", "pipe"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), stepDeadlineMs);
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(`RUN ${command}\nended with ${code}:\n${said.slice(-4_000)}`));
    });
  });
}

/** A stage of the build: the folder that stands for its root, and what its instructions set. */
class Stage {
  env = {};
  workdir = "/";
  user = "0:0";
  entrypoint = [];
  cmd = [];
  healthcheck = [];

  constructor(root) {
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  /** A path of the stage on this machine. */
  path(inside) {
    return join(this.root, inside.startsWith("/") ? inside : join(this.workdir, inside));
  }

  copy(sources, destination, from, isIgnored) {
    const target = this.path(destination);
    for (const source of sources) {
      const origin = join(from, source);
      const isFolder = lstatSync(origin).isDirectory();
      // As Docker does: a folder's content goes into the destination, a file under its name if that is a folder.
      const into = isFolder || !/(\/|^\.)$/.test(destination) ? target : join(target, basename(source));
      mkdirSync(isFolder ? into : dirname(into), { recursive: true });
      cpSync(origin, into, {
        recursive: true,
        verbatimSymlinks: true,
        filter: (file) => isIgnored === undefined || lstatSync(file).isDirectory() || !isIgnored(relative(from, file)),
      });
    }
  }

  /** The command as it runs here: what names a file of the stage gets the stage's folder in front. */
  command(words) {
    return words.map((word) => (word.startsWith("/") && existsSync(this.path(word)) ? this.path(word) : word));
  }
}

/** Carries out every instruction and returns the last stage. */
async function build(folder) {
  const isIgnored = ignoreRules(join(context, ".dockerignore"));
  const stages = new Map();
  let stage;
  for (const { name, rest } of readDockerfile(join(context, "Dockerfile"))) {
    console.log(`${name} ${rest.length > 100 ? `${rest.slice(0, 100)}…` : rest}`);
    if (name === "FROM") {
      const alias = / AS (\S+)$/i.exec(rest)?.[1] ?? `stage-${stages.size}`;
      stage = new Stage(join(folder, alias));
      stages.set(alias, stage);
    } else if (name === "WORKDIR") {
      stage.workdir = join(stage.workdir, rest);
      mkdirSync(stage.path("."), { recursive: true });
    } else if (name === "COPY") {
      const flags = words(rest).filter((word) => word.startsWith("--"));
      const paths = words(rest).filter((word) => !word.startsWith("--"));
      const from = flags.find((flag) => flag.startsWith("--from="))?.slice("--from=".length);
      const sources = paths.slice(0, -1);
      if (from === undefined) stage.copy(sources, paths.at(-1), context, isIgnored);
      else stage.copy(sources, paths.at(-1), stages.get(from).root, undefined);
    } else if (name === "RUN") await sh(rest, stage.path("."));
    else if (name === "ENV") {
      for (const word of words(rest)) stage.env[word.slice(0, word.indexOf("="))] = word.slice(word.indexOf("=") + 1);
    } else if (name === "USER") stage.user = rest;
    else if (name === "ENTRYPOINT") stage.entrypoint = json(rest);
    else if (name === "CMD") stage.cmd = json(rest);
    else if (name === "HEALTHCHECK") stage.healthcheck = json(rest);
    else if (!["LABEL", "EXPOSE"].includes(name)) throw new Error(`${name} is not known to this check`);
  }
  return stage;
}

/** Files and their bytes; links count as nothing. */
function measure(folder) {
  const total = { files: 0, bytes: 0 };
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    total.files++;
    total.bytes += lstatSync(join(entry.parentPath, entry.name)).size;
  }
  return total;
}

function setWritable(folder, isWritable) {
  for (const entry of [...readdirSync(folder, { recursive: true, withFileTypes: true }), undefined]) {
    const path = entry === undefined ? folder : join(entry.parentPath, entry.name);
    const { mode } = lstatSync(path);
    if (entry?.isSymbolicLink()) continue;
    chmodSync(path, isWritable ? mode | 0o200 : (mode | 0o444 | (mode & 0o100 ? 0o111 : 0)) & ~0o222);
  }
}

/** A running process and the first part of its output that matches. */
function start(command, args, options, pattern) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  let said = "";
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
  const ready = new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not ready within ${startDeadlineMs} ms:\n${said}`)),
      startDeadlineMs,
    );
    const look = (text) => {
      said += text;
      const match = pattern.exec(said);
      if (match === null) return;
      clearTimeout(timer);
      resolve(match);
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", look);
    child.once("error", reject);
    void ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`${command} ended with ${code}:\n${said}`));
    });
  });
  ready.catch(() => {});
  return { child, ready, ended, said: () => said };
}

async function stopped({ child, ended }, deadlineMs) {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  const ending = await ended;
  clearTimeout(timer);
  return ending;
}

function verify(what, isTrue, detail = "") {
  console.log(`${isTrue ? "✓" : "✗"} ${what}${detail === "" ? "" : `: ${detail}`}`);
  if (!isTrue) throw new Error(`${what} does not hold`);
}

async function ask(url, key) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ model: "local", max_tokens: 20, messages: [{ role: "user", content: "Say hello." }] }),
    signal: AbortSignal.timeout(10_000),
  });
  await response.text();
  return response;
}

/** Runs the tree as the image's container would run. */
async function tryOut(stage) {
  cpSync(join(context, "examples/docker.yaml"), stage.path("/config.yaml"));
  setWritable(stage.root, false);
  const [uid, gid] = stage.user.split(":").map(Number);
  const isRoot = process.getuid?.() === 0;
  verify("the image's user is not root", uid > 0 && gid > 0, stage.user);
  console.log(isRoot ? `runs as ${stage.user}` : "runs as the present user: only root may take the image's");
  const identity = isRoot ? { uid, gid } : {};
  const simulateArgs = ["packages/gateway/src/main.ts", "simulate", "--flavour", "ollama", "--model", "qwen2.5:7b"];
  const simulator = start(findBun(), simulateArgs, { cwd: context, env: bunEnv() }, /"url":"([^"]+)"/);
  let gateway;
  try {
    const [, simulatorUrl] = await simulator.ready;
    const given = {
      FAIRLEAD_API_KEY: apiKey,
      OLLAMA_BASE_URL: `${simulatorUrl}/v1`,
      ANTHROPIC_API_KEY: "unused",
      PORT: "0",
    };
    const path = { PATH: "/usr/local/bin:/usr/bin:/bin" };
    const options = { cwd: stage.path("."), env: { ...path, ...stage.env, ...given }, ...identity };
    const [program, ...args] = stage.command([...stage.entrypoint, ...stage.cmd]);
    gateway = start(program, args, options, /http:\/\/127\.0\.0\.1:(\d+)/);
    const [url, port] = await gateway.ready;
    verify("starts with examples/docker.yaml and a free port", true, url);

    const [healthProgram, ...healthArgs] = stage.command(stage.healthcheck);
    const health = (at) => start(healthProgram, healthArgs, { ...options, env: { ...options.env, PORT: at } }, /$^/);
    verify("its health check succeeds", (await health(port).ended) === 0);
    verify("its health check fails where nothing listens", (await health("1").ended) === 1);

    const answer = await ask(url, apiKey);
    const backend = answer.headers.get("x-router-backend");
    verify(
      "answers a request from the local upstream",
      answer.status === 200 && backend === "local",
      `${answer.status}`,
    );
    verify("refuses a request without the key", (await ask(url, undefined)).status === 401);

    const begun = performance.now();
    const ending = await stopped(gateway, stopDeadlineMs);
    verify("SIGTERM ends it with 0", ending === 0, `${ending} after ${Math.round(performance.now() - begun)} ms`);
    const restarted = start(program, args, { ...options, env: { ...path, ...stage.env } }, /$^/);
    const refusal = await restarted.ended;
    verify("without FAIRLEAD_API_KEY it refuses to start", refusal !== 0, `exit code ${refusal}`);
  } catch (error) {
    if (gateway !== undefined) console.error(gateway.said().slice(-4_000));
    throw error;
  } finally {
    if (gateway !== undefined) await stopped(gateway, stopDeadlineMs);
    await stopped(simulator, stopDeadlineMs);
  }
}

const folder = mkdtempSync(join(tmpdir(), "fairlead-image-"));
chmodSync(folder, 0o755);
try {
  console.log("No image is built: the Dockerfile's steps are carried out in a temporary folder on this machine.\n");
  const stage = await build(folder);
  const { files, bytes } = measure(stage.root);
  console.log("");
  const names = readdirSync(stage.root, { recursive: true });
  const stray = names.filter((name) =>
    /packages\/.*\.test\.ts$|node_modules\/(vitest|openai|typescript|@biomejs|@oven)$/.test(name),
  );
  verify("holds no tests, tools or second runtime", stray.length === 0, stray.slice(0, 5).join(", "));
  await tryOut(stage);
  const { files: filesAfter } = measure(stage.root);
  verify("nothing was written while it ran", filesAfter === files + 1);
  const megabytes = Math.round(bytes / 1e5) / 10;
  console.log(`\n${files} files, ${megabytes} MB on top of the base image. No image was built.`);
  console.log(JSON.stringify({ ok: true, files, megabytes, imageBuilt: false }));
} catch (error) {
  console.error(`check-image: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  setWritable(folder, true);
  rmSync(folder, { recursive: true, force: true });
}
