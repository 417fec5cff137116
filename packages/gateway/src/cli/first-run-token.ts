import type { FirstRun } from "../admin/admin-deps.ts";
import type { Directory } from "../keys/directory.ts";
import type { Secret } from "../lib/secret.ts";
import type { MachineFiles } from "../stores/machine-files.ts";

const fileName = "first-run-token";

/** The token that makes the first owner: there while there is no owner, in a file that only this machine's user reads. */
export class FirstRunToken implements FirstRun {
  readonly #directory: Directory;
  readonly #files: MachineFiles | undefined;
  #token: Secret | undefined;
  /** There is an owner, which stays so. */
  #known = false;

  constructor(directory: Directory, files: MachineFiles | undefined) {
    this.#directory = directory;
    this.#files = files;
  }

  token(): Secret | undefined {
    return this.#token;
  }

  /** Looks for an owner, until there is one: another process may have made it. @throws while the directory does not answer */
  async open(): Promise<void> {
    if (this.#known || this.#files === undefined) return;
    const { items } = await this.#directory.list("user", { limit: 1, where: { role: "owner" } });
    this.#known = items.length > 0;
    if (items.length === 0) this.#token = this.#files.readOrMake(fileName);
    else await this.burn();
  }

  async burn(): Promise<void> {
    this.#token = undefined;
    this.#files?.remove(fileName);
  }
}
