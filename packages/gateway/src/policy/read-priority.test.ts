import { expect, test } from "bun:test";
import { anonymous } from "../core/principal.ts";
import { readPriority } from "./read-priority.ts";

const batchKey = { ...anonymous, priority: "batch" as const };

test("the header says, then the key; anything else is interactive", () => {
  expect(readPriority(anonymous, null)).toBe("interactive");
  expect(readPriority(anonymous, " Batch ")).toBe("batch");
  expect(readPriority(batchKey, null)).toBe("batch");
  expect(readPriority(batchKey, "batch")).toBe("batch");
});

test("a batch key may not ask to go first, and an unknown priority is named", () => {
  expect(() => readPriority(batchKey, "interactive")).toThrow("for batch work");
  expect(() => readPriority(anonymous, "urgent")).toThrow(
    'X-Router-Priority is "urgent": expected interactive or batch',
  );
});
