const marker = "os.environ/";

/** Name of the environment variable that a value of LiteLLM's refers to; undefined for a literal. */
export function environmentReference(value: string): string | undefined {
  return value.startsWith(marker) ? value.slice(marker.length) : undefined;
}

/** A name for an environment variable that shall hold what stood in the file as it is. */
export function variableName(...words: readonly string[]): string {
  return words
    .join("_")
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, "_");
}
