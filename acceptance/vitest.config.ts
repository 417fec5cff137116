import { defineConfig } from "vitest/config";

/** Black-box suites: each file starts its own processes, so files may run beside each other, tests of a file may not. */
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/node_modules/**"],
    pool: "forks",
    maxWorkers: 2,
    globals: false,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    sequence: { seed: 1, shuffle: false },
  },
});
