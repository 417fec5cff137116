import { expect, test } from "bun:test";
import { usageRange } from "@fairlead/contract/admin-api/usage-api";
import { z } from "zod";
import { parseInput } from "./parse-input.ts";

const schema = z.object({
  group_by: z.preprocess((text) => String(text).split(","), z.array(z.enum(["model", "day"]))),
});

test("a value that is split before it is checked is shown as it was written", () => {
  expect(() => parseInput(schema, { group_by: "model,colour" }, "query")).toThrow(
    'query.group_by is "model,colour": expected one of "model"|"day".',
  );
});

test("a moment that is none says what one looks like", () => {
  expect(() => parseInput(z.object(usageRange), { from: "yesterday" }, "query")).toThrow(
    'query.from is "yesterday": expected a day such as 2026-11-01, or an ISO 8601 time with its zone.',
  );
});
