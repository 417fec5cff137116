import type { Brand } from "../lib/brand.ts";

/** Integer billionths of a US dollar: sums of prices per token stay exact. */
export type NanoDollars = Brand<bigint, "NanoDollars">;

export const nanoDollars = (amount: bigint): NanoDollars => amount as NanoDollars;
