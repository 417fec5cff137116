import type { FirstRun } from "../admin/admin-deps.ts";
import type { Directory } from "../keys/directory.ts";
import type { Secret } from "../lib/secret.ts";
import type { MachineFiles } from "../stores/machine-files.ts";

const fileName = "first-run-token";

/** Makes the token for the first owner where there is no owner yet; asks the directory once. */
export async function openFirstRun(directory: Directory, files: MachineFiles | undefined): Promise<FirstRun> {
  let token: Secret | undefined;
  if (files !== undefined) {
    const { items } = await directory.list("user", { limit: 1, where: { role: "owner" } });
    if (items.length === 0) token = files.readOrMake(fileName);
    else files.remove(fileName);
  }
  return {
    token: () => token,
    async burn() {
      token = undefined;
      files?.remove(fileName);
    },
  };
}

/** Stands in while the directory does not answer: nobody can be the first owner then. */
export const noFirstRun: FirstRun = { token: () => undefined, burn: async () => {} };
