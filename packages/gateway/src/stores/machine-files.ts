import { randomBytes } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Secret } from "../lib/secret.ts";

const codeOf = (thrown: unknown): string => (thrown instanceof Error && "code" in thrown ? String(thrown.code) : "");

/** Small secrets that belong to this machine's installation, each a file that only its owner may read. */
export class MachineFiles {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  pathOf(name: string): string {
    return join(this.#dir, name);
  }

  /** Undefined when there is no such file. @throws the system's error when it cannot be read */
  read(name: string): Secret | undefined {
    try {
      const text = readFileSync(this.pathOf(name), "utf8").trim();
      return text === "" ? undefined : new Secret(text);
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return undefined;
      throw thrown;
    }
  }

  /** Returns what the file holds; makes it first where it is missing. Of several processes one makes it. */
  readOrMake(name: string, make: () => string = () => randomBytes(32).toString("hex")): Secret {
    const found = this.read(name);
    if (found !== undefined) return found;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    const draft = this.pathOf(`.${name}.${randomBytes(6).toString("hex")}`);
    writeFileSync(draft, `${make()}\n`, { mode: 0o600, flag: "wx" });
    try {
      // Unlike a rename, a link fails where another process was first.
      linkSync(draft, this.pathOf(name));
    } catch (thrown) {
      if (codeOf(thrown) !== "EEXIST") throw thrown;
    } finally {
      rmSync(draft, { force: true });
    }
    const made = this.read(name);
    if (made === undefined) throw new Error(`The file ${this.pathOf(name)} is empty.`);
    return made;
  }

  remove(name: string): void {
    rmSync(this.pathOf(name), { force: true });
  }
}
