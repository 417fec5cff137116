import { GatewayError } from "../core/errors.ts";
import { isObject, type JsonObject } from "../lib/json.ts";
import { nearNames } from "../lib/near-names.ts";

const longestName = 256;

/**
 * Reads fields of one object of a request, each at most once; absent and null ones are undefined. Every reader throws
 * `invalid_request` that names the field and what was expected.
 */
export class WishReader {
  readonly #value: JsonObject;
  readonly #path: string;
  readonly #read: string[] = [];

  /** `path` stands before each field's name; empty for the top level. */
  constructor(value: unknown, path: string) {
    this.#path = path;
    if (value === undefined || value === null) this.#value = {};
    else if (isObject(value)) this.#value = value;
    else throw fault(path, value, "an object");
  }

  name(field: string): string | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "" && value.length <= longestName) return value;
    throw fault(this.#at(field), value, `a text of 1 to ${longestName} characters`);
  }

  names(field: string, most: number): readonly string[] | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    const isName = (entry: unknown) => typeof entry === "string" && entry !== "" && entry.length <= longestName;
    if (Array.isArray(value) && value.length <= most && value.every(isName)) return [...new Set<string>(value)];
    throw fault(this.#at(field), value, `a list of at most ${most} names`);
  }

  positive(field: string): number | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw fault(this.#at(field), value, "a number above 0");
  }

  atLeastZero(field: string): number | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value;
    throw fault(this.#at(field), value, "a number of at least 0");
  }

  flag(field: string): boolean | undefined {
    const value = this.#take(field);
    if (value === undefined || typeof value === "boolean") return value;
    throw fault(this.#at(field), value, "true or false");
  }

  choice<const Names extends readonly string[]>(field: string, names: Names): Names[number] | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    const found = names.find((name) => name === value);
    if (found !== undefined) return found;
    throw fault(this.#at(field), value, names.map((name) => `\`${name}\``).join(", "));
  }

  object(field: string): WishReader | undefined {
    const value = this.#take(field);
    return value === undefined ? undefined : new WishReader(value, this.#at(field));
  }

  /** Refuses fields that nobody read. */
  finish(): void {
    for (const field of Object.keys(this.#value)) {
      if (this.#read.includes(field)) continue;
      const near = nearNames(field, this.#read)[0];
      const hint = near === undefined ? `one of ${this.#read.join(", ")}` : `\`${near}\``;
      const at = this.#at(field.slice(0, 60));
      throw new GatewayError("invalid_request", `\`${at}\` is not known here. Expected ${hint}.`, { param: at });
    }
  }

  #take(field: string): unknown {
    this.#read.push(field);
    return this.#value[field] ?? undefined;
  }

  #at(field: string): string {
    return this.#path === "" ? field : `${this.#path}.${field}`;
  }
}

function fault(at: string, value: unknown, expected: string): GatewayError {
  const shown = typeof value === "number" && !Number.isFinite(value) ? String(value) : JSON.stringify(value);
  const what = `\`${at}\` is ${(shown ?? "missing").slice(0, 80)}. Expected ${expected}.`;
  return new GatewayError("invalid_request", what, { param: at });
}
