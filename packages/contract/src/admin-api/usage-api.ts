import { z } from "zod";

/** Plain data of the running gateway. */
export const statusAnswer = z.strictObject({ data: z.unknown() });
