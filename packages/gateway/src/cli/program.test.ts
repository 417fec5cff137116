import { afterEach, expect, spyOn, test } from "bun:test";
import { program } from "./program.ts";

const stderr = spyOn(process.stderr, "write").mockImplementation(() => true);
afterEach(() => stderr.mockClear());

async function complaint(argv: readonly string[]): Promise<string> {
  expect(await program(argv, {}, false)).toBe(2);
  return stderr.mock.calls.map(([text]) => String(text)).join("");
}

test.each([
  [["srve"], "Did you mean serve?", "fairlead --help"],
  [["serve", "--prot", "1"], "Did you mean --port?", "fairlead serve --help"],
  [["serve", "--port", "high"], "expected a port from 0 to 65535", "fairlead serve --help"],
  [["demo", "--jsn"], "Did you mean --json?", "fairlead demo --help"],
  [["doctor", "--confg", "x"], "Did you mean --config?", "fairlead doctor --help"],
  [["config", "chek"], "Did you mean check?", "fairlead config --help"],
  [["config", "check", "--jsn"], "Did you mean --json?", "fairlead config check --help"],
])("%j is answered with what was meant and where help is", async (argv, meant, help) => {
  const text = await complaint(argv);
  expect(text).toContain(meant);
  expect(text).toContain(`(${help} lists`);
});
