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
