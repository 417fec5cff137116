import { z } from "zod";

/** Kinds of values that several parts of the config have. */

const longestMs = 86_400_000;

export const ms = (fallback: number, text: string) =>
  z.number().int().min(0).max(longestMs).default(fallback).describe(`${text} In milliseconds.`);

/** A limit that something must fit into: none at all would fail everything. */
export const limitMs = (text: string) => z.number().int().min(1).max(longestMs).describe(`${text} In milliseconds.`);

export const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/,
    "a name of letters, digits and . _ : @ / - that begins with a letter or digit",
  );

export const upstreamName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "a name of letters, digits and . _ - that begins with a letter or digit");

export const targetReference = z
  .string()
  .min(1)
  .describe("A public name, `<upstream>/<model>`, a model id, or `@local` / `@cloud` for every deployment there.");

/** A secret in the config: text with `${ENV}` references, or the place to read it from. Resolved at load, never kept. */
export const secretSchema = z
  .union([
    z.string().describe("`${NAME}` or `${NAME:-default}`. A literal key works, with a warning: files get committed."),
    z.strictObject({ env: z.string().min(1).describe("Name of the environment variable that holds the secret.") }),
    z.strictObject({
      file: z.string().min(1).describe("File that holds the secret, as Docker and Kubernetes mount them."),
    }),
    z.strictObject({
      store: z
        .string()
        .min(1)
        .describe("Name of a credential kept encrypted in the store (`fairlead credentials set`)."),
    }),
  ])
  .describe("A secret: text with `${ENV}`, `{ env: NAME }`, `{ file: /path }` or `{ store: name }`.");

export const dollars = (text: string) => z.number().min(0).max(1_000_000_000).describe(`${text} In US dollars.`);
