import { afterAll as afterAllTests } from "vitest";

const closing: (() => unknown)[] = [];

/** Closes something when the test file ends, or, where these rigs serve a script, when that calls `closeAll`. */
export function afterAll(close: () => unknown): void {
  if (process.env["VITEST"] === undefined) closing.push(close);
  else afterAllTests(async () => void (await close()));
}

/** Closes everything in the order in which it was registered; each may be used again afterwards. */
export async function closeAll(): Promise<void> {
  for (const close of closing) await close();
}
