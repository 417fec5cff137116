import { z } from "zod";

/** Fields that requests and answers of the admin API share. The wire is snake_case; times are ISO 8601, money US dollars. */

/** The last moment that ISO 8601 writes with four digits of a year. */
export const latestTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** Where prompts may go. */
export const wireData = z
  .literal("local-only")
  .nullable()
  .describe("`local-only`: prompts never leave self-hosted upstreams, whatever fails; null for no such rule.");

/** Who goes first when the gateway is full. */
export const wirePriority = z
  .literal("batch")
  .nullable()
  .describe("`batch`: requests wait while interactive ones do, and may not ask for more; null for no such rule.");

export const wireTime = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) <= latestTime, "a time from 1970 to 9999, UTC")
  .describe("A time, ISO 8601.");

export const wireId = z.string().min(1).max(200);

/** A name that budgets, config and headers may repeat. */
export const wireName = z
  .string()
  .min(1)
  .max(100)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@/+ -]*$/,
    "a name of letters, digits, spaces and . _ : @ / + - that begins with a letter or digit",
  );

export const wireTags = z.array(z.string().min(1).max(100)).max(50);
export const wireModels = z.array(z.string().min(1).max(200)).max(500);
export const wireUsd = z.number().min(0).max(1_000_000_000);

/** What a changed thing was when it was read: the change is refused when somebody else was faster. */
export const wireVersion = z
  .number()
  .int()
  .min(1)
  .describe("Version the change is based on; refused with 409 when it is older.");

export const idParams = z.strictObject({ id: wireId });
export const nameParams = z.strictObject({ name: wireId });

export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("Most things in one answer."),
  cursor: z.string().max(600).optional().describe("`next_cursor` of the page before."),
};

/** A page of things. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.strictObject({
    data: z.array(item),
    next_cursor: z.string().nullable().describe("Null on the last page."),
  });
}

export const errorAnswer = z.strictObject({
  error: z.strictObject({ code: z.string(), message: z.string(), param: z.string().nullable() }),
});

export const deletedAnswer = z.strictObject({ id: z.string(), deleted: z.literal(true) });
