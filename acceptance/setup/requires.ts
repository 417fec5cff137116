import { type TestFunction, test } from "vitest";

/** Tools that this run must have: a test that lacks one of them fails instead of being skipped. */
const required = new Set((process.env["FAIRLEAD_REQUIRE"] ?? "").split(",").map((name) => name.trim()));

/** Runs the test where the tool is there; names the skip where it is not, and fails it where the tool was promised. */
export function testWith(tool: string, present: boolean, name: string, body: TestFunction, timeoutMs?: number): void {
  if (present) test(name, body, timeoutMs);
  else if (required.has(tool)) {
    test(name, () => {
      throw new Error(`FAIRLEAD_REQUIRE lists ${tool}, which is not here`);
    });
  } else test.skip(`${name} (needs ${tool})`, body);
}
