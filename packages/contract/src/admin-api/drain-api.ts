import { z } from "zod";

/** What taking an upstream out of service, or back, answers. */
export const drainAnswer = z.strictObject({ name: z.string(), drained: z.boolean() });
