import type { ZodObject } from "zod";

/** Names of what a request holds that has no meaning here, `metadata.…` included. Null counts as absent. */
export function ignoredFields(schema: ZodObject, body: Readonly<Record<string, unknown>>): string[] {
  const unknown = Object.keys(body).filter((field) => !(field in schema.shape) && body[field] !== null);
  const { metadata } = body;
  const inside = typeof metadata === "object" && metadata !== null ? Object.keys(metadata) : [];
  return [...unknown, ...inside.filter((field) => field !== "tags").map((field) => `metadata.${field}`)].slice(0, 100);
}
