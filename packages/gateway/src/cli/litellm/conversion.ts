/** Something of a LiteLLM config that has no place in ours, or another meaning. */
export interface Unmapped {
  /** Where it stands, as people write it. */
  readonly path: string;
  readonly why: string;
}

/** What a conversion has to say beyond the config it makes. */
export class ConversionNotes {
  readonly unmapped: Unmapped[] = [];
  /** Environment variables that must be set, and what for. */
  readonly variables = new Map<string, string>();

  /** Keys that stand in the file, and the variables that shall hold them; never shown. */
  readonly #literals = new Map<string, string>();

  /** A variable for a key in the file: one each, however often it stands there. */
  variableFor(key: string, usual: string): string {
    const known = this.#literals.get(key);
    if (known !== undefined) return known;
    let name = usual;
    for (let n = 2; this.variables.has(name); n++) name = `${usual}_${n}`;
    this.#literals.set(key, name);
    return name;
  }

  lost(path: string, why: string): void {
    this.unmapped.push({ path, why });
  }

  /** Notes every member that is set and not in the list. */
  lostMembers(path: string, value: object, known: readonly string[], why: string): void {
    for (const [name, member] of Object.entries(value)) {
      if (!known.includes(name) && member !== null && member !== undefined) this.lost(`${path}.${name}`, why);
    }
  }
}
