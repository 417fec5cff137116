import type { Brand } from "../lib/brand.ts";

/** A whole number of 10⁻⁹ US dollars. Exact up to about 9 million dollars; larger sums belong in the database. */
export type NanoDollars = Brand<number, "NanoDollars">;

export const noMoney = 0 as NanoDollars;

const perDollar = 1_000_000_000;

/** Rounds to the nearest nano-dollar. */
export function fromDollars(dollars: number): NanoDollars {
  return Math.round(dollars * perDollar) as NanoDollars;
}

/** For people and wires; never computed with. */
export function toDollars(nano: number): number {
  return nano / perDollar;
}

export function addMoney(a: NanoDollars, b: NanoDollars): NanoDollars {
  return (a + b) as NanoDollars;
}
