import { exactInteger } from "../sql/exact-integer.ts";
import type { SqlValue } from "../sql/sql-database.ts";

const int8 = 20;
const numeric = 1700;
const bool = 16;
const numbers = new Set([int8, 21, 23, numeric, 700, 701]);

function parseNumber(text: string): number | bigint {
  return /^-?\d+$/.test(text) ? exactInteger(BigInt(text)) : Number(text);
}

/** Reads values as SQLite would give them: whole numbers exact, booleans as 0 and 1, everything else as text. */
export const postgresValues = {
  getTypeParser(oid: number): (text: string) => SqlValue {
    if (numbers.has(oid)) return parseNumber;
    if (oid === bool) return (text) => (text === "t" ? 1 : 0);
    return (text) => text;
  },
};
